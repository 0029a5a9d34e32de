"""The service that is disturbed: a domain as shipped, but calm, on a fixed number of replicas and,
where that may be, on a small disk of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import yaml

from data.domains.domain import config_root
from loadtest.own_service import Service, bound, own_service, shipped

DISK = "1g"
FULL_EPOCHS = 3  # enough for a worker to be killed in


def serving(
    folder: Path, home: Path, port: int, domain: str, replicas: int, **settings: str
) -> AbstractContextManager[Service]:
    """As `own_service`. Nothing is retrained that was not asked for, and that is short."""
    calm = yaml.safe_load((config_root() / f"{domain}.yaml").read_text(encoding="utf-8"))
    calm["triggers"] = {"new_clips": None, "every_h": None}
    calm["training"]["epochs"] = FULL_EPOCHS
    configs = folder / "configs"
    configs.mkdir()
    (configs / f"{domain}.yaml").write_text(yaml.safe_dump(calm), encoding="utf-8")
    config, own = bound(shipped(), replicas, replicas), {"TELLTALE_CONFIGS": str(configs)}
    return own_service(port, config, domain, folder, home, own | settings)


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """`place` is a disk of its own inside the block where this user may mount one, else a folder
    like any other."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(place)]
    may = os.geteuid() == 0 and shutil.which("mount")
    mounted = may and not subprocess.run(command, capture_output=True, check=False).returncode
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=False)
