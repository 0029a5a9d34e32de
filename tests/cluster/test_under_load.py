"""The load test against the session's service, as a person would run it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.service import Service


@pytest.mark.deploy
def test_a_running_service_is_loaded_sampled_and_reported(service: Service, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtest.scaling", "--preset", "smoke"]
    done = subprocess.run(
        [*command, "--url", service.url, "--out", str(tmp_path)],
        env=service.environment | {"TELLTALE_KEY": service.admin_key},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "requests failed" in done.stdout
    rows = json.loads((tmp_path / "smoke.json").read_bytes())["outcome"]["seconds"]
    assert {1, 4} <= {row["users"] for row in rows}
    assert any(row["req_s"] > 0 and row["p95_ms"] for row in rows)
    assert any(row.get("versions") for row in rows)
    assert max(row.get("cores", {}).get("replica", 0) for row in rows) > 0
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# Checks" in report
    assert service.admin_key not in report
