"""HAProxy's lines for quotas: so many requests with clips a minute for each key or address.

They are counted where all requests come by, in HAProxy: one count is right however many replicas
there are and whichever of them answers, and a replica pays nothing, with quotas or without. Each
caller has a bucket of a minute's worth, which fills up steadily. Kept is only the moment at which
it will be full again (GCRA), so that `Retry-After` is known to the second. A change of replicas
starts HAProxy anew, and with it every bucket full. A form of many clips is one request, and so
is the opening of a stream.
"""

from serve_app.cluster.haproxy.haproxy_replies import reply
from serve_app.settings import Quotas

MINUTE_MS = 60_000
WRAPS_MS = 2**31  # in a table's 32 bits; behind it a bucket is full once too early, each 25 days
COUNTED = (
    *("/predict", "/transcribe", "/infer", "/batch-predict", "/analyze"),
    *("/feedback", "/save-for-retrain", "/upload", "/stream", "/webhook"),
)
# Whose quotas -> HAProxy's variable that counts the refusals; read by quota_refusals.py.
COUNTS = {"key": "proc.telltale_refused_keys", "address": "proc.telltale_refused_addresses"}
KEYED = "{ var(txn.key) -m found }"
# How far ahead the moment is at which the bucket is full; what cannot be is from before a wrap.
AHEAD = (
    f"http-request set-var(txn.now_ms) date(0,ms),mod({WRAPS_MS}) if telltale_counted",
    "http-request set-var(txn.bucket) str(q),concat(,txn.who) if telltale_counted",
    "http-request track-sc1 var(txn.bucket) if telltale_counted",
    "http-request set-var(txn.ahead_ms) sc_get_gpt0(1),sub(txn.now_ms) if telltale_counted",
    "http-request set-var(txn.ahead_ms) int(0) "
    f"if telltale_counted !{{ var(txn.ahead_ms) -m int 0:{MINUTE_MS} }}",
)


def quota_lines(quotas: Quotas) -> list[str]:
    """For the frontend, behind those that say who asks; none without quotas."""
    if not (quotas.key or quotas.address):
        return []
    return [
        f"acl telltale_counted path,url_dec -m end {' '.join(COUNTED)}",
        *AHEAD,
        *_bucket(quotas.key, "key", f"telltale_counted {KEYED}", "with this key"),
        *_bucket(
            quotas.address,
            "address",
            f"telltale_counted !{KEYED}",
            "without a key from this address",
        ),
    ]


def _bucket(a_minute: int, caller: str, asked: str, whose: str) -> list[str]:
    if not a_minute:
        return []
    each_ms = -(-MINUTE_MS // a_minute)
    room_ms = MINUTE_MS - each_ms
    words = (
        f"{a_minute} requests with clips a minute are answered {whose}, and no more at present; "
        "Retry-After tells in how many seconds one is again"
    )
    wait_s = f"%[var(txn.ahead_ms),sub({room_ms}),add(999),div(1000)]"
    used_up, count = f"{asked} {{ var(txn.ahead_ms) -m int gt {room_ms} }}", COUNTS[caller]
    return [
        f"http-request set-var({count}) var({count},0),add(1) if {used_up}",
        f"http-request return {reply(429, 'Quota used up', words, wait_s)} if {used_up}",
        f"http-request sc-set-gpt0(1) var(txn.now_ms),add(txn.ahead_ms),add({each_ms}) if {asked}",
    ]
