"""outputs.py, sessions.py: of an event what is said is kept, and all else is left alone."""

import asyncio
from typing import Any

import gradio as gr

from serve_app.ui.gradio_internals.outputs import UNCHANGED, SparingBlocks
from serve_app.ui.gradio_internals.sessions import KEPT_S, Session, Sessions


def test_what_an_event_says_nothing_of_is_left_alone() -> None:
    async def told() -> None:  # Gradio wants a loop
        with SparingBlocks() as blocks:
            first, second, kept = gr.Textbox(), gr.Radio(["a"]), gr.State(0)
            blocks.load(lambda: None, None, [first, second, kept])
        (event,), session = blocks.fns.values(), Session(blocks)
        before = session.blocks_config.blocks[first._id]

        async def answered(said: Any) -> list[Any]:
            return list(await blocks.postprocess_data(event, said, session))

        assert await answered({kept: 5, second: "a"}) == [UNCHANGED, "a", None]
        assert session[kept._id] == 5
        assert session.blocks_config.blocks[first._id] is before
        await answered({second: gr.update(choices=["a", "b"])})
        assert len(session.blocks_config.blocks[second._id].choices) == 2
        unsaid: list[Any] = [{}, gr.skip()]
        for nothing in unsaid:
            assert await answered(nothing) == [UNCHANGED, UNCHANGED, None]
        assert await answered(["x", "a", 6]) == ["x", "a", None]
        assert session[kept._id] == 6

    asyncio.run(told())


def test_states_of_a_closed_page_go_an_hour_after_its_last_event() -> None:
    async def told() -> None:
        with gr.Blocks() as blocks:
            kept = gr.State([])
        sessions = Sessions(blocks)

        def after(seconds: float, closed: bool = True) -> list[str]:
            found = sessions["page"]  # an event
            found[kept._id].append("asked")
            found.is_closed = closed
            found.used_s -= seconds
            sessions.delete_all_expired_state()
            return list(found[kept._id])

        assert after(KEPT_S + 1, closed=False) == ["asked"]
        assert after(KEPT_S - 60) == ["asked"] * 2
        assert after(KEPT_S - 60) == ["asked"] * 3
        assert after(KEPT_S + 1) == []

    asyncio.run(told())
