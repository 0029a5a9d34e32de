"""The command line of what makes a bundle's folder anew and leaves what it learnt: reexport and
recalibrate."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from data.errors import TelltaleError
from models.bundle import PRETRAINED, Bundle, load_bundle


def anew(
    work: Callable[[Bundle], Bundle], program: str, text: str | None, given: Sequence[str] | None
) -> int:
    """The exit code; says which digest the bundle had and has."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=text)
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
