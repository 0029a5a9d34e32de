"""The command lines of a retrain and of what rebuilds a bundle; numbers for others, too."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from data.domains.domain import Mode
from data.errors import TelltaleError
from models.bundle import PRETRAINED, Bundle, load_bundle


def parse(arguments: Sequence[str] | None, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="telltale retrain",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("domain")
    parser.add_argument("--mode", choices=sorted(get_args(Mode)), default="full")
    parser.add_argument(
        "--workers", type=whole, help="training processes; 0: in this one, without Ray"
    )
    parser.add_argument("--epochs", type=positive, help="other than the domain's, as the next two")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--batch-size", type=positive)
    parser.add_argument(
        "--snapshot", help="learn from this older list of clips, by its id or the first 8 letters"
    )
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


def rebuild_command(
    work: Callable[[Bundle], Bundle], program: str, text: str | None, given: Sequence[str] | None
) -> int:
    """The exit code; says which digest the bundle had and has."""
    parser = argparse.ArgumentParser(prog=f"telltale {program}", description=text)
    parser.add_argument("domain")
    parser.add_argument("--bundle", type=Path, help="default: the shipped one of the domain")
    options = parser.parse_args(given)
    try:
        old = load_bundle(options.bundle or PRETRAINED / options.domain)
        new = work(old)
    except TelltaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.domain}: {old.digest[:12]} -> {new.digest[:12]}\n")
    return 0
