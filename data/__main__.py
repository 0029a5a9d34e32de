"""The data tools: what is learnt from, brought in, listed, compared, and put back.

telltale data import clips/ --domain faults --dry-run     labelled clips into the store
telltale data similar clip.wav --domain faults            what a model remembers that is like it
telltale data snapshot faults                             fix the list of accepted clips
telltale data diff 3fa9c1 [77e0d2]                        what changed since, or between two
telltale data restore 3fa9c1 --dry-run                    labels and states as they were
telltale data graph faults                                what came of what, for Graphviz

All of it as a page with pictures: telltale report faults
"""

import argparse
import sys
from collections.abc import Sequence

from data.commands import (
    check_clips,
    fetch_datasets,
    import_clips,
    lineage_graph,
    similar_clips,
    snapshot_versions,
)
from data.errors import TelltaleError
from data.terminal import command, new_parser

COMMANDS = (
    fetch_datasets,
    import_clips,
    check_clips,
    similar_clips,
    snapshot_versions,
    lineage_graph,
)


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all went well, 1 if something was refused or wrong."""
    options = parse(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("telltale: stopped; run it again to go on", file=sys.stderr)
        return 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = new_parser("telltale data", __doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in COMMANDS:
        each.offer(commands)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
