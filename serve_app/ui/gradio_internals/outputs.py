"""Gradio's Blocks, which leave alone what an event says nothing of. Gradio would make each of those
components anew, by ten of which a clip's answer comes later."""

from copy import copy
from typing import Any

import gradio as gr

UNCHANGED = {"__type__": "update"}


class SparingBlocks(gr.Blocks):  # type: ignore[misc]  # it has no types
    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        outputs = block_fn.outputs
        if not isinstance(predictions, dict) or len(outputs) < 2:
            return list(await super().postprocess_data(block_fn, predictions, state))
        said = [block for block in outputs if block in predictions]
        told: list[Any] = []
        if said:
            few, values = copy(block_fn), [predictions[block] for block in said]
            few.outputs = said
            told = await super().postprocess_data(
                few, values if len(values) > 1 else values[0], state
            )
        answers = dict(zip(said, told, strict=True))
        unchanged = (None if block.stateful else UNCHANGED for block in outputs)
        return [answers.get(block, same) for block, same in zip(outputs, unchanged, strict=True)]
