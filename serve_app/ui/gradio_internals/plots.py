"""Gradio without matplotlib, which it would turn to a backend of its own around each event, in case
that draws. The first of them would load it, which takes seconds that a visitor waits."""

from contextlib import nullcontext

from gradio import utils


def without_matplotlib() -> None:
    utils.MatplotlibBackendMananger = nullcontext  # Gradio's own spelling
