"""Gradio's sessions, without what it keeps of them for links that open a page as it was.

For these it makes the configuration of each component anew, from the signature of its class,
whenever one is told something: a third of what an answer costs, and 0.1 s of each new page.
"""

import time
from collections.abc import Iterator
from copy import copy
from typing import Any

from gradio.blocks import Blocks
from gradio.components import State
from gradio.state_holder import SessionState, StateHolder

KEPT_S = 3600  # after the last event of a page that was closed


class Session(SessionState):  # type: ignore[misc]  # it has no types
    def __init__(self, blocks: Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self.is_closed = False  # Gradio says so; also of a page whose connection was lost
        self.used_s = time.monotonic()

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if isinstance(block, State):
            self.state_data[key] = value
        else:
            self.blocks_config.blocks[key] = value

    @property
    def state_components(self) -> Iterator[tuple[State, Any, bool]]:
        """Each state, and whether it may go: all of a page that nobody uses any more, and none of
        one that is used, whenever that was told anew."""
        may_go = self.is_closed and time.monotonic() - self.used_s > KEPT_S
        for key, value in list(self.state_data.items()):
            yield self.blocks_config.blocks[key], value, may_go

    def _update_config(self, key: int) -> None: ...

    def _update_value_in_config(self, key: int, value: Any) -> None: ...


class Sessions(StateHolder):  # type: ignore[misc]
    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        self.set_blocks(blocks)

    def __getitem__(self, session_id: str) -> Session:
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks)
        found: Session = super().__getitem__(session_id)
        found.used_s = time.monotonic()
        return found
