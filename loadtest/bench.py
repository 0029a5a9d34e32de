"""Telltale beside what a user would pick instead, on this machine, in one command.

    python -m loadtest.bench                                   about 20 minutes: everything
    python -m loadtest.bench --quick                           1 and 32 connections, one clip
    python -m loadtest.bench --quick --only raw,fastapi2,telltale --rounds 3 --seconds 3

All servers stand side by side with the same model, clip and client, and are measured in turns;
whoever is not being measured is put to sleep whole (SIGSTOP), and woken a moment before its turn.
A machine that is busy before the start gives no figures; --anyway measures and marks them.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from loadtest import clips, quiet
from loadtest.lineup import LOOP, MANY, NAMES, TITLES, standing
from loadtest.measure import Case, Running, Sample, client_name, looped, measured
from loadtest.publish import publish

CONNECTIONS = (1, 8, 32, 128)
QUICK = (1, 32)
MANY_AT = 32  # connections, where clips and bodies are compared


def main() -> int:
    options = _options()
    if trouble := quiet.disturbance():
        print(f"bench: {trouble}", file=sys.stderr)
        if not options.anyway:
            print("bench: nothing was measured; --anyway measures and says so", file=sys.stderr)
            return 2
    sounds = clips.made()
    if options.clip:
        sounds[clips.MAIN] = options.clip.read_bytes()
    try:
        with standing(
            options.only, options.port, options.bundle, options.url, sounds[clips.MAIN]
        ) as up:
            samples = rounds(up, sounds, options)
            started = {name: one.start_up_s for name, one in up.items() if one.pid}
            titles = {**TITLES, **{name: one.server.title for name, one in up.items()}}
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    trouble = trouble or quiet.meanwhile(statistics.median(one.elsewhere for one in samples))
    about = _about(options, trouble, len(sounds[clips.MAIN]))
    text, files = publish(options.out, samples, titles, started, about)
    print(f"\n{text}\nwritten: {', '.join(map(str, files))}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="the headline only")
    parser.add_argument("--only", type=_names, default=NAMES, help=f"some of {','.join(NAMES)}")
    parser.add_argument("--connections", type=_numbers, default=())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="a turn's length")
    parser.add_argument("--clip", type=Path, help="a clip of your own for the main table")
    parser.add_argument("--bundle", type=Path, default=Path("models/pretrained/faults"))
    parser.add_argument("--url", default="", help="a Telltale that runs already; it never sleeps")
    parser.add_argument("--port", type=int, default=8140, help="the first of ten that are used")
    parser.add_argument("--out", type=Path, default=Path("var/bench"))
    parser.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    options = parser.parse_args()
    options.connections = options.connections or (QUICK if options.quick else CONNECTIONS)
    return options


def _names(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    if unknown := set(names) - set(NAMES):
        raise argparse.ArgumentTypeError(f"{sorted(unknown)} unknown; there are {', '.join(NAMES)}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def rounds(
    up: Mapping[str, Running], sounds: Mapping[str, bytes], options: argparse.Namespace
) -> list[Sample]:
    samples = []
    for number in range(1, options.rounds + 1):
        for case in cases(options.connections, tuple(sounds), options.quick):
            for name in _turn(case, options.only, up):
                clip = sounds[case.clip]
                if name == LOOP:
                    sample = looped(number, case, clip, options.bundle, options.seconds)
                else:
                    sample = measured(up[name], name, number, case, clip, options.seconds)
                samples.append(sample)
                print(f"round {number} of {options.rounds}: {case}: {_said(sample)}", flush=True)
    return samples


def cases(connections: tuple[int, ...], names: tuple[str, ...], quick: bool) -> list[Case]:
    """The main table's, then every other clip as a form, then the main clip as the whole body."""
    main = [Case(clips.MAIN, "form", number) for number in connections]
    if quick:
        return main
    others = [Case(name, "form", MANY_AT) for name in names if name != clips.MAIN]
    return [*main, *others, Case(clips.MAIN, "raw", MANY_AT)]


def _turn(case: Case, names: tuple[str, ...], up: Mapping[str, Running]) -> list[str]:
    main = case.clip == clips.MAIN and case.body == "form"
    return [name for name in names if (name in up or name == LOOP) and (main or name in MANY)]


def _said(sample: Sample) -> str:
    load = sample.load
    errors = f", errors {load.errors}" if load.errors else ""
    return (
        f"{sample.server:9} {load.rate:7.1f} req/s, p50 {load.p50_ms:.1f} ms, "
        f"CPU {sum(sample.cpu_ms.values()):.2f} ms/req{errors}"
    )


def _about(options: argparse.Namespace, trouble: str, clip_bytes: int) -> dict[str, object]:
    return {
        "when": time.strftime("%Y-%m-%d %H:%M %Z"),
        "disturbed": trouble,
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}",
        "client": client_name(),
        "clip_bytes": clip_bytes,
        "rounds": options.rounds,
        "seconds": options.seconds,
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


if __name__ == "__main__":
    sys.exit(main())
