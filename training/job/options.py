"""The command line of a retrain, and the numbers that others take too."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from data.domains.domain import Mode


def parse(arguments: Sequence[str] | None, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.retrain",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("domain")
    parser.add_argument("--mode", choices=sorted(get_args(Mode)), default="full")
    parser.add_argument(
        "--workers", type=whole, default=1, help="training processes; 0: in this one, without Ray"
    )
    parser.add_argument("--epochs", type=positive, help="other than the domain's")
    parser.add_argument("--run", help="id of a queued run; without it, one is made")
    parser.add_argument("--reason", default="started by hand")
    parser.add_argument("--output", type=Path, help="put a copy of the bundle into this folder")
    parser.add_argument("--dry-run", action="store_true", help="say what would be learnt from")
    parser.add_argument(
        "--no-promote", action="store_true", help="register, whatever the gate says"
    )
    return parser.parse_args(arguments)


def whole(text: str) -> int:
    return at_least(text, 0)


def positive(text: str) -> int:
    return at_least(text, 1)


def at_least(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)
