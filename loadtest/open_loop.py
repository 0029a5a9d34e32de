"""Requests that leave when they are due, whether or not the last was answered.

telltale open-loop clip.wav --rate 100 --seconds 10       Poisson arrivals
telltale open-loop clip.wav --clients 32 --seconds 10     closed loops instead
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from loadtest.client.offer import Offered, Plan, offer_here, quantiles
from loadtest.command import counted, existing, parser, positive


def main() -> int:
    words = parser("telltale open-loop", __doc__)
    words.add_argument("clip", type=existing)
    words.add_argument("--url", default="http://127.0.0.1:8000", help="the running service")
    words.add_argument("--path", default="/predict")
    words.add_argument("--raw", action="store_true", help="the clip is the whole body, no form")
    words.add_argument("--rate", type=positive, help="requests a second, Poisson")
    words.add_argument("--clients", type=counted, default=1, help="closed loops, without --rate")
    words.add_argument("--seconds", type=float, default=10.0)
    words.add_argument("--seed", type=int, default=1)
    key = os.environ.get("TELLTALE_KEY", "")
    words.add_argument("--key", default=key, help="a bearer key; or set TELLTALE_KEY")
    words.add_argument("--save", type=Path, help="keep every request's row, as .npz")
    arguments = vars(words.parse_args())
    save = arguments.pop("save")
    offered = offer_here(Plan(**arguments))
    if save:
        np.savez(save, **vars(offered))
    print(json.dumps(summary(offered)))
    return 0


def summary(offered: Offered) -> dict[str, object]:
    waits = offered.latency_ms
    late = float(np.quantile(offered.sent_s - offered.due_s, 0.99)) * 1e3
    return {
        "answered_per_s": round(offered.answered_per_s, 1),
        "p50_p95_p99_ms": quantiles(waits, 0.5, 0.95, 0.99) if waits.size else [],
        "statuses": offered.statuses(),
        "sent_late_p99_ms": round(late, 3),
        "client_cpu_ms_per_request": round(offered.client_cpu_s / offered.due_s.size * 1e3, 3),
    }


if __name__ == "__main__":
    sys.exit(main())
