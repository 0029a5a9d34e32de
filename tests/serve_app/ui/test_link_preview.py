"""link_preview.py: a link to the page is shown as Telltale's, in the language that is asked for."""

import asyncio
from pathlib import Path

import httpx
from fastapi import FastAPI

from serve_app.ui.app import build_page
from support.local_server import Server


def test_the_page_names_nothing_of_gradios_to_whoever_shows_a_link_to_it(tmp_path: Path) -> None:
    async def built() -> FastAPI:  # Gradio wants a loop
        return build_page("http://127.0.0.1:9", tmp_path / "uploads")

    with Server(asyncio.run(built())) as at:
        page = httpx.get(f"{at}/?lang=fr").text
    head = page.partition("<body")[0]
    assert '<meta property="og:title" content="Telltale">' in head
    assert "apprend des corrections" in head
    for theirs in ("twitter:", "Click to try", "header-image", "manifest", 'content="Gradio"'):
        assert theirs not in head
    assert page.count("og:title") == 1
