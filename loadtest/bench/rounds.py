"""The rounds: every server in turn at every case, again and again, so that a drift hits all alike.

round 1: 1 connection: loop, raw, fastapi2, telltale; 32 connections: loop, raw, ...
round 2: the same
"""

import argparse
from collections.abc import Mapping

from loadtest.bench.clips import MAIN
from loadtest.bench.lineup import LOOP, MANY
from loadtest.bench.measure import Case, Sample, looped, measured
from loadtest.bench.servers import Running

MANY_AT = 32  # connections, where clips and bodies are compared


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
                print(
                    f"round {number} of {options.rounds}: {case}: {_in_short(sample)}", flush=True
                )
    return samples


def cases(connections: tuple[int, ...], names: tuple[str, ...], quick: bool) -> list[Case]:
    """The main table's, then every other clip as a form, then the main clip as the whole body."""
    main = [Case(MAIN, "form", number) for number in connections]
    if quick:
        return main
    others = [Case(name, "form", MANY_AT) for name in names if name != MAIN]
    return [*main, *others, Case(MAIN, "raw", MANY_AT)]


def _turn(case: Case, names: tuple[str, ...], up: Mapping[str, Running]) -> list[str]:
    main = case.clip == MAIN and case.body == "form"
    return [name for name in names if (name in up or name == LOOP) and (main or name in MANY)]


def _in_short(sample: Sample) -> str:
    load = sample.load
    errors = f", errors {load.errors}" if load.errors else ""
    return (
        f"{sample.server:9} {load.rate:7.1f} req/s, p50 {load.p50_ms:.1f} ms, "
        f"CPU {sum(sample.cpu_ms.values()):.2f} ms/req{errors}"
    )
