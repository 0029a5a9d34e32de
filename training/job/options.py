"""The command lines of a retrain and of what rebuilds a bundle; numbers for others, too."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from data.domains.domain import Mode
from data.errors import TelltaleError
from data.terminal import command, new_parser
from models.bundle import PRETRAINED, Bundle, load_bundle


def parse(arguments: Sequence[str] | None, description: str | None) -> argparse.Namespace:
    parser = new_parser("telltale retrain", description)
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


@command(TelltaleError)
def rebuild_command(
    work: Callable[[Bundle, argparse.Namespace], Bundle],
    program: str,
    text: str | None,
    given: Sequence[str] | None,
    more: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """Says which digest the bundle had and has; `more` adds options of the command's own."""
    parser = new_parser(f"telltale {program}", text)
    parser.add_argument("domain")
    parser.add_argument("--bundle", type=Path, help="default: the shipped one of the domain")
    more(parser)
    options = parser.parse_args(given)
    old = load_bundle(options.bundle or PRETRAINED / options.domain)
    new = work(old, options)
    sys.stdout.write(f"{options.domain}: {old.digest[:12]} -> {new.digest[:12]}\n")
