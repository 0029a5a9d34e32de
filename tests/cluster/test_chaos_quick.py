"""The short setting of the chaos test: parts die and one client floods, while others go on.

How soon all is as before is a figure for a quiet machine; that nothing is lost holds on a busy one.
"""

import json
from pathlib import Path

import pytest

from loadtest.chaos.__main__ import parsed, tried
from support.service import free_port

pytestmark = pytest.mark.deploy


def test_nothing_acknowledged_is_lost_and_nobody_gets_a_wrong_answer(tmp_path: Path) -> None:
    tried(parsed(["--quick", "--port", str(free_port()), "--out", str(tmp_path)]))
    facts = json.loads((tmp_path / "chaos.json").read_text(encoding="utf-8"))
    audit, rows = facts["audit"], facts["disturbances"]
    assert not facts["run"]["stopped early"]
    assert audit["kept"] > 0
    assert (audit["lost"], audit["foreign"], audit["strange_versions"]) == ([], [], [])
    wrong = {row["name"]: row["causes"] for row in rows if row["row"].get("error")}
    assert wrong == {}
    assert not [row["name"] for row in rows if row["row"].get("foreign")]
