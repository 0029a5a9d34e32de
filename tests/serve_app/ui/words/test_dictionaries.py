"""Every sentence of the page is in every language, and none stands beside the dictionary."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from serve_app.ui.words.translate import NAMES, dictionary

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "serve_app" / "ui"
SERVICE = ("data", "models", "serve_app", "training")
OTHERS = [language for language in NAMES if language != "en"]
PLACEHOLDER = re.compile(r"{(\w+)(:[^}]*)?}")
TAG = re.compile(r"</?\w+[^<>]*>")
# What is read by people and is the same in every language, or is not read by visitors of the page.
UNTRANSLATED = {
    "Telltale",
    "English",
    "API",
    "F1",
    "JSON",
    "CSV",
    "Audacity",
    "Raven",
    "MFCC",
    "MLflow",
    "px",
    "Hz",
    "kHz",
    "UTC",  # in dates that static/page.js replaces by the reader's own
}
NO_WORDS = {  # what a person never reads, by the string that is found
    "too quiet": "by which an answer of the service is known",
    ": send it as ": "what is cut off from a refusal",
    "one correction: ": "a reason, which is kept with the run for all its readers",
    "none yet": "of an error that only scripts can cause",
    "Too large": "a title that the page does not show",
    "${value}": "Gradio's own placeholder",
    "#several tbody tr": "a selector",
    "#keys details": "a selector",
    "#shown audio": "a selector",
}
FOR_PROGRAMS = {
    "guard.py": "refusals of requests that the page does not make",
    "named_endpoints.py": "what scripts ask, in the API's language",
    "app.py": "no words",
    "theme.py": "names of fonts",
}


ONLY_PROGRAMS = {  # refusals that nobody meets on the page, by where they are raised
    "data/media/live_decoder.py": "compressed streams; the page sends samples",
    "data/store/keys.py": "the commands for keys",
    "data/store/snapshots.py": "the client's snapshots",
    "serve_app/http/answers/event_formats.py": "parameters",
    "serve_app/http/protocols/": "KServe's and tus's clients",
    "serve_app/http/requests/correction_form.py": "forms of another shape than the page's",
    "serve_app/http/requests/live_sound.py": "headed by static/live.js",
    "serve_app/http/requests/multipart.py": "damaged forms",
    "serve_app/http/requests/parameters.py": "parameters",
    "serve_app/http/routes/analyze_routes.py": "parameters",
    "serve_app/http/routes/history_routes.py": "parameters",
    "serve_app/http/routes/label_studio.py": "Label Studio",
    "serve_app/http/routes/predict_routes.py": "parameters",
    "serve_app/http/routes/stream_routes.py": "headed by static/live.js",
    "serve_app/http/routes/upload_routes.py": "forms of another shape than the page's",
}
TO_PROGRAMS = (  # the same, by how they begin; \0 stands for a value
    "Far too much work for its size",  # an alarm, which becomes another refusal
    "a clip comes as multipart/form-data",
    "a clip is one file, and opens no other",
    "a correction is a form with",
    "a recording comes in at most",
    "clips come as multipart/form-data",
    "run \0 is already \0; it promotes nothing",
    "run \0 is one of",
    "the Authorization header must read",
    "the body is sent with Content-Encoding",
    "the connection closed before",
    "the form has \0 bytes or more",  # then the page asks about one after the other
    "the form has no part",
    "the process that decodes clips did not start",
    "the recording was announced with",
    "the storage URI is not understood",
    "there is already a run",
    "there is no upload",
    "this needs a key with the role \0: send it as",  # whose end the page cuts off
    "\0 bytes of the recording have come",
    "\0 of its \0 bytes have come",
    "\0 takes a label and no mask",
    "\0, a picture that is white where",
)


def python() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def scripts() -> Iterator[tuple[Path, str]]:
    """Without their comments."""
    for path in sorted(PAGE.rglob("*.js")):
        code = re.sub(r"(?m)(^|\s)//.*$", "", path.read_text(encoding="utf-8"))
        yield path, code


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def keys(kind: str) -> set[str]:
    """Of the page's code: sentences, or with kind "plurals" those for many."""
    place, names = (1, {"plural"}) if kind == "plurals" else (0, {"t", "mark"})
    found = {
        first.value
        for _, tree in python()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) in names
        for first in node.args[place : place + 1]
        if isinstance(first, ast.Constant) and isinstance(first.value, str)
    }
    if kind == "page":
        found |= {said for _, code in scripts() for said in re.findall(r'\bt\("([^"]+)"', code)}
    return found


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("kind", ["page", "plurals"])
def test_no_sentence_of_the_page_lacks_its_translation_and_none_is_left_over(
    language: str, kind: str
) -> None:
    assert set(dictionary(language)[kind]) == keys(kind)


@pytest.mark.parametrize("language", OTHERS)
def test_what_the_service_says_is_known_in_every_language(language: str) -> None:
    assert set(dictionary(language)["service"]) == set(dictionary(OTHERS[0])["service"])


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_values_and_the_tags_of_its_sentence(language: str) -> None:
    for kind, sentences in dictionary(language).items():
        for key, translated in sentences.items():
            for one in translated if kind == "plurals" else [translated]:
                assert one.strip(), key
                assert sorted(PLACEHOLDER.findall(one)) == sorted(PLACEHOLDER.findall(key)), key
                assert TAG.findall(one) == TAG.findall(key), key
                # It stands in attributes and in scripts.
                assert not set('"<>&\\') & set(TAG.sub("", one)), key


def test_a_sentence_that_is_known_of_the_service_is_one_that_it_says() -> None:
    said = "\n".join(skeletons())
    for known in dictionary(OTHERS[0])["service"]:
        parts = [part for part in re.split(r"{\w+}| ?[:;,.()] ?", known) if part.strip()]
        assert all(part in said for part in parts), known


def test_what_the_service_refuses_is_known_in_every_language_or_met_by_programs_alone() -> None:
    """By its words between the values: sentences are put together of several."""
    known = list(dictionary(OTHERS[0])["service"])
    met = [
        f"{place}: {said}"
        for place, said in refusals()
        if not said.startswith(TO_PROGRAMS)
        and not any(all(part in one for part in parts(said)) for one in known)
    ]
    assert not met


def parts(said: str) -> list[str]:
    return [part.strip() for part in said.split("\0") if part.strip(" ,.;:()")]


def refusals() -> Iterator[tuple[str, str]]:
    for folder in ("data/media", "data/store", "serve_app/http", "serve_app/replica"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            if place.startswith(tuple(ONLY_PROGRAMS)):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Raise(exc=ast.Call(args=[ast.JoinedStr() as said, *_])):
                        yield place, whole(said)
                    case ast.Raise(exc=ast.Call(args=[ast.Constant(value=str(words)), *_])):
                        yield place, words


def skeletons() -> Iterator[str]:
    """The strings of the code, with NUL where values stand, and what domains say of themselves."""
    for path in (ROOT / "configs").glob("*.yaml"):
        domain = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield "\n".join(domain.get(name, "") for name in ("title", "description", "disclaimer"))
    for folder in SERVICE:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield whole(node)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def whole(node: ast.JoinedStr) -> str:
    parts = node.values
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "\0" for one in parts)


def test_no_words_of_the_page_stand_outside_of_the_dictionary() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {words}"
        for path, tree in python()
        if path.name not in FOR_PROGRAMS
        for said in literals(tree)
        for words in shown(said)
    ]
    found += [
        f"{path.relative_to(ROOT)}: {words}"
        for path, code in scripts()
        for said in re.findall(r'"[^"\n]*"|`[^`]*`', re.sub(r'\bt\("[^"]+"', "", code))
        for words in shown(re.sub(r"\${[^{}]*}", "\0", said[1:-1]))
    ]
    assert not found


def literals(tree: ast.Module) -> Iterator[str]:
    """But for docstrings, what is translated, and errors, which are told by `wording.py`."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if called(node) in {"t", "mark", "plural"} or isinstance(node, ast.Raise | ast.Assert):
            skipped |= set(ast.walk(node))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
        if isinstance(node, ast.JoinedStr):
            skipped |= {part for part in node.values if isinstance(part, ast.Constant)}
            skipped |= {part.format_spec for part in node.values if hasattr(part, "format_spec")}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and node not in skipped:
            yield whole(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.value


def shown(said: str) -> Iterator[str]:
    """What of a string a person would read: text between tags, named attributes, a sentence, or a
    single word that begins as a sentence does."""
    if re.search(r"=> {|window\.|extends |\? $", said):  # JavaScript
        return
    yield from filter(english, re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', said))
    inside = re.sub(r"<[^<>]*(>|$)|^[^<>]*>|&\w+;", "\0", said)
    is_html = "<" in said or ">" in said
    for part in re.split("\0", inside):
        prose = re.search(r"[A-Za-z’']{2,} [a-z]{2,}", part) and "tt-" not in part
        word = re.fullmatch(r"[A-Z][a-z]+[.…!?]?", part.strip())
        if (is_html or prose or word) and english(part) and part not in NO_WORDS:
            yield part


def english(words: str) -> bool:
    left = re.findall(r"[A-Za-z]{2,}", words)
    return any(word not in UNTRANSLATED for word in left)
