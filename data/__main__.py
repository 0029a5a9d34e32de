"""The data tools: what is learnt from, brought in, listed, compared, and put back.

telltale data import clips/ --domain faults --dry-run     labelled clips into the store
telltale data similar clip.wav --domain faults            what a model remembers that is like it
telltale data snapshot faults                             fix the list of accepted clips
telltale data diff 3fa9c1 [77e0d2]                        what changed since, or between two
telltale data restore 3fa9c1 --dry-run                    labels and states as they were
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from data.commands import (
    check_clips,
    fetch_datasets,
    import_clips,
    similar_clips,
    snapshot_versions,
)
from data.errors import TelltaleError
from data.terminal import piped

COMMANDS = (fetch_datasets, import_clips, check_clips, similar_clips, snapshot_versions)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all went well, 1 if something was refused or wrong."""
    options = parse(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except TelltaleError as error:
        print(f"telltale: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("telltale: stopped; run it again to go on", file=sys.stderr)
    return 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="telltale data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.offer(commands)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(piped(main))
