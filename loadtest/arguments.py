"""What the commands are told, refused before anything is started where it makes no sense."""

from argparse import ArgumentTypeError
from pathlib import Path


def existing(text: str) -> Path:
    if not Path(text).exists():
        raise ArgumentTypeError(f"there is no {text}")
    return Path(text)


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def counted(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"must be a whole number above 0, got {text}")
    return int(text)
