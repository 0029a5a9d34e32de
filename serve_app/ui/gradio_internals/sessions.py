"""Gradio's sessions, without what it keeps of them for links that open a page as it was.

For these it makes the configuration of each component anew, from the signature of its class,
whenever one is told something: a third of what an answer costs, and 0.1 s of each new page.
"""

import datetime
from copy import copy
from typing import Any

from gradio.blocks import Blocks
from gradio.components import State
from gradio.state_holder import SessionState, StateHolder

KEPT_S = 3600  # after a page was closed


class Session(SessionState):  # type: ignore[misc]  # it has no types
    def __init__(self, blocks: Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, tuple[float | None, datetime.datetime]] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = KEPT_S

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if isinstance(block, State):
            self._state_ttl[key] = block.time_to_live, datetime.datetime.now()
            self.state_data[key] = value
        else:
            self.blocks_config.blocks[key] = value

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
        return found
