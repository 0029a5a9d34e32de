"""tabular.py: tables as people save them, for import and for training alike."""

import codecs
from pathlib import Path

import pytest

from data.errors import InvalidParameter
from support.inputs.listed_clips import READERS, Read, clips

TABLE = "path,label,group,split\na.wav,fluid,Prüfstand 1,train\nb.wav,normal,b,train\n"
TESTED = "c.wav,fluid,c,test\n"
JSON = '{"path": "a.wav", "label": "fluid", "group": "Prüfstand 1", "split": "train"}'
JSON_LINES = (
    f'{JSON}\n{{"file_name": "b.wav", "label": "normal", "group": "b", "split": "train"}}\n'
    '{"path": "c.wav", "label": "fluid", "group": "c", "split": "test"}'
)
WHOLE = TABLE + TESTED
DIALECTS = {
    "hugging face": ("metadata.csv", WHOLE.replace("path", "file_name").encode()),
    "semicolons": ("manifest.csv", WHOLE.replace(",", ";").encode()),
    "tabs": ("manifest.csv", WHOLE.replace(",", "\t").encode()),
    "tsv": ("metadata.tsv", WHOLE.replace(",", "\t").encode()),
    "spaces and quotes": (
        "manifest.csv",
        WHOLE.replace("Prüfstand 1", ' "Prüfstand 1"').replace("path,", "path ,").encode(),
    ),
    "Windows": ("manifest.csv", WHOLE.replace("\n", "\r\n").encode("cp1252")),
    "byte order mark": ("manifest.csv", WHOLE.encode("utf-8-sig")),
    "UTF-16": ("manifest.csv", codecs.BOM_UTF16_LE + WHOLE.encode("utf-16-le")),
    "UTF-16 of Macs": ("manifest.csv", codecs.BOM_UTF16_BE + WHOLE.encode("utf-16-be")),
    "UTF-16 unmarked": ("manifest.csv", WHOLE.encode("utf-16-le")),
    "JSON lines": ("metadata.jsonl", JSON_LINES.encode()),
    "JSON": ("manifest.json", f"[{JSON_LINES.replace(chr(10), ',')}]".encode("utf-16")),
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_import_and_training_read_every_dialect(tmp_path: Path, dialect: str, read: Read) -> None:
    name, raw = DIALECTS[dialect]
    folder = clips(tmp_path, "a.wav", "b.wav", "c.wav")
    (folder / name).write_bytes(raw)
    assert read(folder) == {
        "a.wav": ("fluid", "Prüfstand 1"),
        "b.wav": ("normal", "b"),
        "c.wav": ("fluid", "c"),
    }


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("manifest.csv", TABLE.encode() + b"\x81.wav,x,,\n", "manifest.csv, line 4: byte 0x81"),
        ("manifest.csv", b"PK\x03\x04\0\0", "manifest.csv is not text; save it as CSV in UTF-8"),
        ("manifest.json", rb'[{"path": "\u0000"}]', "manifest.json is not text"),
        ("manifest.csv", b'path,label\na.wav,"fluid\n', "manifest.csv, line 2: unexpected end"),
        ("metadata.jsonl", b'{"path": "a.wav",\n', "metadata.jsonl, line 1 is not valid JSON"),
        ("metadata.jsonl", b'\n["a.wav"]', 'line 2 must be an object: {"path"'),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(
    tmp_path: Path, name: str, raw: bytes, words: str, read: Read
) -> None:
    folder = clips(tmp_path, "a.wav")
    (folder / name).write_bytes(raw)
    with pytest.raises(InvalidParameter, match=words):
        read(folder)
