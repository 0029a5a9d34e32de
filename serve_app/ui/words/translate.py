"""The page's words in the language of whoever is asked for: `t("{name} is sent", name="a.wav")`.

The English sentence is the key, so that the code reads as the page does; `es.json` and `fr.json`
have the others. What Gradio sends a browser is made once, before anybody asks (`LATER`): there each
sentence stands as a mark, which `in_language` replaces for each language.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

ENGLISH, LATER = "en", "later"
NAMES = {ENGLISH: "English", "es": "Español", "fr": "Français"}
ONE_IS_BELOW = {"fr": 2}  # in French no correction is "0 correction", without an s
_SPOKEN = ContextVar("_SPOKEN", default=ENGLISH)
_MARK = re.compile("\ue000([0-9a-f]+)\ue001")
_NUMBER = re.compile(r"[+-]?\d+(,\d{3})*(\.\d+)?( ?[A-Za-z%]+)?")  # with its unit
_PLACEHOLDER = re.compile(r"\\{(\w+)\\}")
_SEPARATORS = str.maketrans({",": "\u202f", ".": ","})  # 12 345,6 in both


@contextmanager
def speaking(language: str) -> Iterator[None]:
    before = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def spoken() -> str:
    return _SPOKEN.get()


def wanted(query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """By the address (`?lang=fr`), else the first that the browser asks for and that is here."""
    asked = [query.get("lang", ""), *headers.get("accept-language", "").split(",")]
    known = (one.strip().lower()[:2] for one in asked)
    return next((one for one in known if one in NAMES), ENGLISH)


def t(message: str, /, **values: object) -> str:
    """Values are plain text or HTML, as the place is. A number is written as the language does, by
    its format: `t("after {seconds:.1f} s", seconds=2)`."""
    if spoken() == LATER:
        assert not values, f"nobody has asked yet: {message}"
        return f"\ue000{message.encode().hex()}\ue001"
    words = _section("page", spoken()).get(message, message)
    return _FORMATTER.format(words, **values) if values else str(words)


def plural(one: str, many: str, count: float, /, **values: object) -> str:
    """`count` is one of the values; the sentence for many is the key."""
    forms = _section("plurals", spoken()).get(many, (one, many))
    is_one = abs(count) < ONE_IS_BELOW[spoken()] if spoken() in ONE_IS_BELOW else count == 1
    return _FORMATTER.format(forms[0 if is_one else 1], count=count, **values)


def mark(message: str) -> str:
    """A key of a table that is made before anybody asks; `t` translates it where it is shown."""
    return message


def number(value: float, form: str = "") -> str:
    return str(_FORMATTER.format_field(value, form))


def told(sentence: str) -> str:
    """A sentence of the service, which speaks English, with the sentences in it; what is known
    nowhere stays as it is."""
    for pattern, translated in _templates(spoken()):
        if found := pattern.fullmatch(sentence):
            said = {name: told(value) for name, value in found.groupdict().items()}
            return translated.format(**said)
    return _localized(sentence)


def in_language(made: Any, language: str) -> Any:
    """What Gradio sends, with the marks translated."""
    if isinstance(made, str):
        words = _section("page", language)
        keys = (bytes.fromhex(found[1]).decode() for found in _MARK.finditer(made))
        return _MARK.sub(lambda _: words.get(key := next(keys), key), made)
    if isinstance(made, dict):
        return {name: in_language(value, language) for name, value in made.items()}
    if isinstance(made, list | tuple):
        return type(made)(in_language(value, language) for value in made)
    return made


def in_script(code: str) -> str:
    """JavaScript with its `t("...")` marked; the browser's `t` (static/page.js) fills in values."""
    return re.sub(r'\bt\("([^"]+)"', lambda call: f't("{t(call[1])}"', code)


class _Localized(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        said = format(value, format_spec)
        return _localized(said) if isinstance(value, int | float) else said


_FORMATTER = _Localized()


def _localized(said: str) -> str:
    if spoken() == ENGLISH or not _NUMBER.fullmatch(said):
        return said
    return said.translate(_SEPARATORS)


@cache
def dictionary(language: str) -> dict[str, dict[str, Any]]:
    """By section: what the page says, of that the sentences with a plural, and what the service
    says. English is in the code."""
    if language == ENGLISH:
        return {}
    path = Path(__file__).with_name(f"{language}.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _section(name: str, language: str) -> dict[str, Any]:
    return dictionary(language).get(name, {})


@cache
def _templates(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """In the service's section `{count}` stands for a number, any other `{name}` for whatever the
    service says there."""
    return tuple(
        (re.compile(_PLACEHOLDER.sub(_anything, re.escape(known)), re.DOTALL), words)
        for known, words in _section("service", language).items()
    )


def _anything(placeholder: re.Match[str]) -> str:
    name = placeholder[1]
    return f"(?P<{name}>[0-9,]+)" if name == "count" else f"(?P<{name}>.+?)"
