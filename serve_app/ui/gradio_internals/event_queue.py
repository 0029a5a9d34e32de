"""Gradio's queue of events, which begins each of them as it comes.

Gradio's own looks a thousand times a second whether somebody has pressed a button, and a hundred
times whether a bar of progress has moved: 5 % of a core, which predictions could have.
"""

import asyncio
import time
from typing import Any

import gradio as gr
from gradio.queueing import Event, Queue
from gradio.utils import run_coro_in_background, set_task_name


class EventQueue(Queue):  # type: ignore[misc]  # it has no types
    """`blocks` are those whose queue it takes the place of."""

    def __init__(self, blocks: gr.Blocks, max_size: int, at_once: int) -> None:
        self.stopped: bool  # Gradio's
        super().__init__(
            live_updates=True,
            concurrency_count=blocks.max_threads,
            update_intervals=1,
            max_size=max_size,
            blocks=blocks,
            default_concurrency_limit=at_once,
        )
        self._due = asyncio.Event()  # something has come, or something else has made room for it

    async def push(self, *args: Any, **more: Any) -> Any:
        told = await super().push(*args, **more)
        self._due.set()
        return told

    async def process_events(self, *args: Any, **more: Any) -> None:
        try:
            await super().process_events(*args, **more)
        finally:
            self._due.set()

    async def start_processing(self) -> None:
        try:
            while not self.stopped:
                await self._due.wait()
                self._due.clear()
                while None in self.active_jobs and (found := self.get_events()):
                    self._begin(*found)
        finally:
            self.stopped = True
            self._cancel_asyncio_tasks()

    async def start_progress_updates(self) -> None:
        """The page has no such bars: it draws its own."""

    def broadcast_estimations(self, *_: Any, **__: Any) -> None:
        """Nor are they shown; each would have the browser draw every part of an event anew."""

    def _begin(self, events: list[Event], batch: bool, concurrency_id: str) -> None:
        self.active_jobs[self.active_jobs.index(None)] = events
        first, began_s = events[0], time.time()
        waiting = self.event_queue_per_concurrency_id[concurrency_id]
        waiting.current_concurrency += 1
        waiting.start_times_per_fn[first.fn].add(began_s)
        task = run_coro_in_background(self.process_events, events, batch, began_s, first.fn)
        set_task_name(task, first.session_hash, first.fn._id, first._id, batch)
        self._asyncio_tasks.add(task)
        task.add_done_callback(self._asyncio_tasks.discard)
