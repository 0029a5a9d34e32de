"""event_queue.py: events begin as they come, and no more of a kind at once than may."""

import asyncio
import threading
import time

import gradio as gr
from fastapi import FastAPI
from gradio_client import Client

from serve_app.ui.gradio_internals.event_queue import EventQueue
from support.local_server import Server


def test_events_begin_as_they_come_and_wait_where_as_many_as_may_are_under_way() -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def work(number: float) -> float:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1
        return number

    async def built() -> FastAPI:  # Gradio wants a loop
        with gr.Blocks() as blocks:
            number = gr.Number()
            gr.Button().click(work, number, number, api_name="work", concurrency_limit=2)
        blocks._queue = EventQueue(blocks, max_size=20, at_once=1)
        app: FastAPI = gr.mount_gradio_app(FastAPI(), blocks, "/")
        return app

    with Server(asyncio.run(built())) as address:
        client = Client(address, verbose=False, httpx_kwargs={"timeout": 60})
        asked = [client.submit(n, api_name="/work") for n in range(6)]
        assert [job.result(timeout=60) for job in asked] == list(range(6))
        client.close()
    assert most == 2
