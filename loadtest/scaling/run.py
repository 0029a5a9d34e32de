"""One run of load on one service: Locust in a process of its own, the sampler here."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import NotReady
from loadtest.scaling.presets import Preset
from loadtest.scaling.record import Record, read_record
from loadtest.scaling.sampler import Sample, Sampler, Target

LOCUSTFILE = Path(__file__).with_name("steps.py")
GRACE_S = 60  # for the last answers, beyond the steps


@dataclass(frozen=True)
class Run:
    record: Record
    samples: Sequence[Sample]


def run(target: Target, load: Preset, out: Path, name: str) -> Run:
    """Leaves `name`.jsonl and `name`.log in `out`. Raises NotReady if Locust could not do it."""
    record, log = out / f"{name}.jsonl", out / f"{name}.log"
    record.unlink(missing_ok=True)
    # The key goes through the environment: a command line can be read by everybody.
    think = ",".join(f"{seconds:g}" for seconds in load.think_s)
    environment = os.environ | {"TELLTALE_KEY": target.key, "TELLTALE_THINK_S": think}
    command = [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"),
        # Each domain answers at its name, the first one at the root as well.
        *(
            "--host",
            f"{target.url}/{target.domain}",
            "--steps",
            load.steps,
            "--record",
            str(record),
        ),
        # Those who leave wait for their last answer: what is cut off would count as nothing.
        *("--stop-timeout", "30", "--exit-code-on-error", "0"),
        *("--only-summary", "--loglevel", "WARNING", load.user),
    ]
    with log.open("w", encoding="utf-8") as console, Sampler(target) as sampler:
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdout=console,
                stderr=subprocess.STDOUT,
                timeout=load.seconds + GRACE_S,
            )
        except subprocess.TimeoutExpired:
            raise NotReady(f"Locust did not end by itself; its last words are in {log}") from None
    if done.returncode != 0 or not record.exists():
        words = log.read_text(encoding="utf-8")[-1500:].strip()
        raise NotReady(f"Locust ended with {done.returncode}: {words}")
    return Run(read_record(record), sampler.samples)
