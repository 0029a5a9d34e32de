"""How many requests HAProxy has refused because a quota was used up, for /metrics.

It counts them itself (`quota_lines.py`), and begins at zero when it is started anew, as at each
change of replicas; so it is asked now and then, and what it counted since is added.
"""

import re
import socket
from collections.abc import Mapping

from serve_app.cluster.haproxy.quota_lines import COUNTS
from serve_app.replica.series import Key, key

PATIENCE_S = 1.0
ASK = ";".join(["show info", *(f"get var {name}" for name in COUNTS.values())])
PROCESS = re.compile(r"^Pid: (\d+)$", re.MULTILINE)
COUNT = re.compile(r"^(\S+): .*value=<(\d+)>$", re.MULTILINE)


class QuotaRefusals:
    """`path`: the socket at which HAProxy is asked."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._process = ""
        self._seen: dict[str, int] = {}
        self._total = dict.fromkeys(COUNTS, 0)

    def look(self) -> None:
        """Nothing is new while HAProxy is away."""
        try:
            said = self._asked()
        except OSError:
            return
        process = "".join(PROCESS.findall(said))
        if process != self._process:
            self._process, self._seen = process, {}
        now = {name: int(count) for name, count in COUNT.findall(said)}
        for caller, name in COUNTS.items():
            self._total[caller] += now.get(name, 0) - self._seen.get(name, 0)
        self._seen = now

    @property
    def counted(self) -> Mapping[Key, float]:
        return {
            key("telltale_quota_refusals_total", caller=caller): count
            for caller, count in self._total.items()
        }

    def _asked(self) -> str:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(PATIENCE_S)
            asking.connect(self._path)
            asking.sendall(f"{ASK}\n".encode())
            return b"".join(iter(lambda: asking.recv(65536), b"")).decode()
