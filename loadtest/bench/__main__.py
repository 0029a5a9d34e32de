"""Telltale beside what a user would pick instead, on this machine, in one command.

    telltale bench                                   about 20 minutes: everything
    telltale bench --quick                           1 and 32 connections, one clip
    telltale bench --quick --only raw,fastapi2,telltale --rounds 3 --seconds 3

All servers stand side by side with the same model, clip and client, and are measured in turns;
whoever is not being measured is put to sleep whole (SIGSTOP), and woken a moment before its turn.
A machine that is busy before the start gives no figures; --anyway measures and marks them.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from loadtest import command
from loadtest.bench import clips
from loadtest.bench.lineup import NAMES, TITLES, standing
from loadtest.bench.publish import conditions, publish
from loadtest.bench.rounds import rounds
from loadtest.command import counted, existing
from loadtest.machine import quiet
from models.bundle import PRETRAINED

CONNECTIONS = (1, 8, 32, 128)
QUICK = (1, 32)
SHIPPED = PRETRAINED / "faults"


def main(words: Sequence[str] | None = None) -> int:
    options = options_from(words)
    command.stop_on_signal()  # servers would stay behind, asleep
    if trouble := quiet.disturbance():
        print(f"bench: {trouble}", file=sys.stderr)
        if not options.anyway:
            print("bench: nothing was measured; --anyway measures and says so", file=sys.stderr)
            return 2
    return command.exit_code("bench", lambda: measure(options, trouble))


def measure(options: argparse.Namespace, trouble: str) -> int:
    sounds = clips.made()
    if options.clip:
        sounds[clips.MAIN] = options.clip.read_bytes()
    main_clip = sounds[clips.MAIN]
    with standing(options.only, options.port, options.bundle, options.url, main_clip) as up:
        samples = rounds(up, sounds, options)
        started = {name: one.start_up_s for name, one in up.items() if one.pid}
        titles = {**TITLES, **{name: one.server.title for name, one in up.items()}}
    trouble = trouble or quiet.meanwhile(statistics.median(one.elsewhere for one in samples))
    about = conditions(trouble, len(main_clip), options.rounds, options.seconds)
    text, files = publish(options.out, samples, titles, started, about)
    print(f"\n{text}\nwritten: {', '.join(map(str, files))}")
    return 0


def options_from(words: Sequence[str] | None) -> argparse.Namespace:
    parser = command.parser("telltale bench", __doc__)
    parser.add_argument("--quick", action="store_true", help="the headline only")
    parser.add_argument("--only", type=_names, default=NAMES, help=f"some of {','.join(NAMES)}")
    parser.add_argument("--connections", type=_numbers, default=())
    parser.add_argument("--rounds", type=counted, default=3)
    parser.add_argument("--seconds", type=counted, default=4, help="a turn's length")
    parser.add_argument("--clip", type=existing, help="a clip of your own for the main table")
    parser.add_argument("--url", default="", help="a Telltale that runs already; it never sleeps")
    parser.add_argument("--bundle", type=existing, default=SHIPPED, help="what --url serves")
    parser.add_argument("--port", type=int, default=8140, help="the first of ten that are used")
    parser.add_argument("--out", type=Path, default=Path("var/bench"))
    parser.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    options = parser.parse_args(words)
    if options.bundle != SHIPPED and not options.url:
        parser.error("a Telltale that is started here serves the shipped bundle; give its --url")
    options.connections = options.connections or (QUICK if options.quick else CONNECTIONS)
    return options


def _names(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    if unknown := set(names) - set(NAMES):
        raise argparse.ArgumentTypeError(f"{sorted(unknown)} unknown; there are {', '.join(NAMES)}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(counted(number) for number in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
