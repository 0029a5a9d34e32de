"""terminal.py: commands print names of any bytes, to readers who may leave."""

import subprocess
import sys

COMMAND = """
import os, sys
from data.terminal import command

@command()
def main() -> int:
    for _ in range(100_000):
        sys.stdout.write(os.fsdecode(b"gr\\xfcn.wav") + chr(10))
    return 0

sys.exit(main())
"""


def started() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONIOENCODING": "utf-8", "PYTHONPATH": ":".join(sys.path)},
    )


def test_a_name_that_is_not_utf_8_is_printed_escaped() -> None:
    with started() as running:
        out, err = running.communicate()
    assert (out.splitlines()[0], err, running.returncode) == ("gr\\udcfcn.wav", "", 0)


def test_a_reader_who_leaves_ends_a_command_without_a_traceback() -> None:
    with started() as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1
