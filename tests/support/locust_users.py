"""Locust's users against a service, who do not ask again; none of their requests may fail."""

import csv
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCUSTFILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"
PATIENCE_S = 180


@contextmanager
def users(url: str, figures: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, "--headless"]
    command += ["--users", "4", "--spawn-rate", "4", "--csv", str(figures), "PowerUser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=figures.parent
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=PATIENCE_S)[0]
    with Path(f"{figures}_stats.csv").open(encoding="utf-8") as table:
        (total,) = (row for row in csv.DictReader(table) if row["Name"] == "Aggregated")
    assert int(total["Request Count"]) > 100, said
    assert total["Failure Count"] == "0", said
