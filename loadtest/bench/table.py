"""The figures as Markdown: a table for each number of connections, then where the time goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.bench.clips import MAIN
from loadtest.bench.measure import Case, Sample
from loadtest.bench.results import Row, by_case, p50, rate, ratio
from loadtest.tables import Table, number

US = "telltale"
# At 32 connections, Telltale's rate over the peer's must reach this; the goal is behind it.
TARGETS = {
    "raw": (0.85, 0.95),
    "fastapi2": (1.0, 1.2),
    "litserve": (1.5, 1.8),
    "bentoml": (1.5, 1.5),
    "seed": (15.0, 15.0),
}
P50_TARGET = (1.5, 1.2)  # at one connection, Telltale's p50 over the raw server's, at most


@dataclass(frozen=True)
class Page:
    samples: Sequence[Sample]
    titles: Mapping[str, str]
    start_up_s: Mapping[str, float]
    about: Mapping[str, object]

    def text(self) -> str:
        found = by_case(self.samples)
        cases = list(dict.fromkeys(row.case for row in found))
        main = [case for case in cases if case.clip == MAIN and case.body == "form"]
        others = [case for case in cases if case not in main]
        tables = [self._main([row for row in found if row.case == case]) for case in main]
        if any(row.server == US for row in found):
            tables.append(self._targets(main))
        tables += [self._cpu(found, main), self._clips(found, others)]
        parts = [f"## {one.title}\n\n{one.as_markdown()}" for one in tables if one.rows]
        return "\n\n".join(["# Telltale beside its peers", self._conditions(), *parts]) + "\n"

    def _conditions(self) -> str:
        about = self.about
        disturbed = f"**Disturbed: {about['disturbed']}.** " if about["disturbed"] else ""
        return (
            f"{disturbed}{about['when']}; {about['machine']}. Client: {about['client']}, one clip "
            f"of {about['clip_bytes']:,} bytes over and over. Medians of {about['rounds']} rounds "
            f"of {about['seconds']} s, servers in turns; ratios are medians of those in a round."
        )

    def _main(self, rows: Sequence[Row]) -> Table:
        connections = rows[0].case.connections
        title = "1 connection" if connections == 1 else f"{connections} connections"
        cells = [self._main_row(row) for row in rows]
        return Table(title, list(cells[0]), [list(row.values()) for row in cells])

    def _main_row(self, row: Row) -> dict[str, str]:
        found = row.figures()
        errors = [f"{count} {kind}" for kind, count in row.errors.items()]
        replaced = sum(sample.replaced for sample in row.samples)
        errors += [f"{replaced} processes gone"] if replaced else []
        return {
            "server": self.titles[row.server],
            "req/s": f"{found['req_per_s']:.1f}",
            "lowest - highest": f"{found['lowest']:.1f} - {found['highest']:.1f}",
            **{f"{q} ms": f"{found[f'{q}_ms']:.1f}" for q in ("p50", "p95", "p99")},
            "errors": ", ".join(errors) or "0",
            "CPU ms/req": number(found["cpu_ms_per_req"] if row.cpu_ms else None, 2),
            "client ms/req": f"{found['client_cpu_ms_per_req']:.2f}",
            "PSS MiB": number(found["pss_mib"] if row.memory_mib else None),
            "ready after s": number(self.start_up_s.get(row.server), 1),
            "of the loop": _times(ratio(self.samples, row.server, "loop", row.case)),
            "Telltale is": _times(ratio(self.samples, US, row.server, row.case)),
        }

    def _targets(self, cases: Sequence[Case]) -> Table:
        rows = []
        for case in cases:
            found = ratio(self.samples, US, "raw", case, p50)
            if case.connections == 1 and found is not None:
                target, goal = P50_TARGET
                what = f"p50 over {self.titles['raw']}, 1 connection"
                reached = "yes" if found <= target else "NO"
                rows.append([what, f"<= {target} (goal {goal})", f"{found:.2f}", reached])
            for peer, (target, goal) in TARGETS.items():
                found = ratio(self.samples, US, peer, case)
                if case.connections == 32 and found is not None:
                    what = f"req/s over {self.titles[peer]}, 32 connections"
                    reached = "yes" if found >= target else "NO"
                    rows.append([what, f">= {target} (goal {goal})", f"{found:.2f}", reached])
        return Table("Targets", ["Telltale's", "target", "measured", "reached"], rows)

    def _cpu(self, found: Sequence[Row], cases: Sequence[Case]) -> Table:
        """A line for each role of each server that has roles, else one for all its processes."""
        rows = []
        for server in dict.fromkeys(row.server for row in found):
            mine = {row.case: row for row in found if row.server == server}
            first = next(iter(mine.values()))
            for role in dict.fromkeys(role for row in mine.values() for role in row.cpu_ms):
                spent = [mine[c].cpu_ms.get(role, 0) if c in mine else None for c in cases]
                cells = [number(ms, 2) for ms in spent] + [number(first.memory_mib.get(role))]
                rows.append([self.titles[server], "all" if role == "other" else role, *cells])
        head = ["server", "process", *(f"c={case.connections}" for case in cases), "PSS MiB"]
        return Table("CPU of one request by process, ms", head, rows)

    def _clips(self, found: Sequence[Row], cases: Sequence[Case]) -> Table:
        servers = list(dict.fromkeys(row.server for row in found if row.case in cases))
        rates = {(row.server, row.case): row.median(rate) for row in found}
        peers = [server for server in ("raw", "fastapi2") if server in servers and US in servers]
        rows = [
            [case.clip, case.body, *(number(rates.get((one, case)), 1) for one in servers)]
            + [_times(ratio(self.samples, US, peer, case)) for peer in peers]
            for case in cases
        ]
        head = ["clip", "body", *(self.titles[server] for server in servers)]
        head += [f"Telltale / {peer}" for peer in peers]
        return Table("Other clips and bodies, req/s", head, rows)


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} x"
