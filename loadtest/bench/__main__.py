"""Telltale beside what a user would pick instead, on this machine, in one command.

    telltale bench                                   about 20 minutes: everything
    telltale bench --quick                           1 and 32 connections, one clip
    telltale bench --quick --only raw,fastapi2,telltale --rounds 3 --seconds 3

All servers have the same model, clip and client, and are measured in turns while the others sleep.
A machine that is busy before the start gives no figures; --anyway measures and marks them.
"""

import statistics
from pathlib import Path

from loadtest import machine
from loadtest.bench.figures import conditions, panels, rows, tables
from loadtest.bench.measure import rounds
from loadtest.bench.servers import NAMES, standing
from loadtest.clip import MAIN, in_formats
from loadtest.command import Arguments, Words, contents, counted, exit_code, new_parser, numbers
from loadtest.report import figure, publish

CONNECTIONS = (1, 8, 32, 128)
QUICK = (1, 32)


def measure(options: Arguments) -> None:
    if (trouble := machine.disturbance()) and not options.anyway:
        raise RuntimeError(f"{trouble}; nothing was measured; --anyway measures and says so")
    on = machine.described()
    sounds = in_formats() | ({MAIN: options.clip} if options.clip else {})
    with standing(options.only, options.port, sounds[MAIN]) as up:
        samples = rounds(up, sounds, options)
    started = {name: one.start_up_s for name, one in up.items()}
    trouble = trouble or machine.meanwhile(statistics.median(one["elsewhere"] for one in samples))
    about = conditions(on, trouble, len(sounds[MAIN]), options.rounds, options.seconds)
    facts, plot = {"about": about, **tables(samples, started)}, figure(panels(samples), columns=2)
    more = {"start_up_s": started, "figures": rows(samples), "samples": samples}
    publish(options.out, "bench", "Telltale beside its peers", facts, plot, **more)


def parsed(words: Words = None) -> Arguments:
    parser = new_parser("bench", __doc__)
    parser.add_argument("--quick", action="store_true", help="the headline only")
    everybody = ",".join(NAMES)
    parser.add_argument("--only", default=everybody, help=f"some of {everybody}")
    parser.add_argument("--connections", type=numbers, default=())
    parser.add_argument("--rounds", type=counted, default=3)
    parser.add_argument("--seconds", type=counted, default=4, help="a turn's length")
    parser.add_argument("--clip", type=contents, help="a clip of your own for the main table")
    parser.add_argument("--port", type=int, default=8140, help="the first of ten that are used")
    parser.add_argument("--out", type=Path, default=Path("var/bench"))
    parser.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    options = parser.parse_args(words)
    options.only = tuple(filter(None, options.only.split(",")))
    if unknown := set(options.only) - set(NAMES):
        parser.error(f"{sorted(unknown)} unknown; there are {', '.join(NAMES)}")
    options.connections = options.connections or (QUICK if options.quick else CONNECTIONS)
    return options


if __name__ == "__main__":
    raise SystemExit(exit_code(measure, parsed()))
