"""theme.py: what the style sheets share, and what they must not."""

import re
from collections import Counter

from serve_app.ui.theme import style_sheets


def test_a_class_has_its_rule_in_one_style_sheet() -> None:
    """A second one would take the name of another part, and change how that looks."""
    ruled = Counter(
        name
        for sheet in style_sheets()
        for name in set(re.findall(r"(?m)^(\.[\w-]+) {", sheet.read_text(encoding="utf-8")))
    )
    assert [name for name, sheets in ruled.items() if sheets > 1] == []
