"""What is shipped beside the code is found in a checkout, and in what a wheel was unpacked into."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from data.install_paths import CODE, FILES

SHOW = (
    "from data.install_paths import CHECKOUT, FILES, own_folder; print(FILES, own_folder('var'), "
    "CHECKOUT, sep='\\n')"
)


def shown(code: Path) -> list[str]:
    """What a copy of the module in the folder `code` says of itself."""
    (code / "data").mkdir(parents=True)
    (code / "data" / "__init__.py").touch()
    shutil.copy(CODE / "data" / "install_paths.py", code / "data")
    environment = {**os.environ, "PYTHONPATH": str(code), "XDG_DATA_HOME": str(code / "user")}
    command = [sys.executable, "-c", SHOW]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def test_a_checkout_keeps_everything_in_itself(tmp_path: Path) -> None:
    assert shown(tmp_path) == [str(tmp_path), str(tmp_path / "var"), str(tmp_path)]


def test_what_is_installed_writes_into_the_users_data_folder_and_not_beside_the_code(
    tmp_path: Path,
) -> None:
    (tmp_path / "telltale_files").mkdir()
    files, home, checkout = shown(tmp_path)
    assert files == str(tmp_path / "telltale_files")
    assert home == str(tmp_path / "user" / "telltale" / "var")
    assert checkout == "None"


@pytest.mark.parametrize(
    "pattern",
    [
        *("data/database/migrations/**/*.py", "loadtest/**/*.yaml", "serve_app/**/*.css"),
        *("models/backbones/*/*", "models/cards/*.json", "models/pretrained/*/*"),
        *("training/recipes/*", "configs/*", "deploy/serve.yaml", "deploy/cluster.md"),
    ],
)
def test_every_file_that_a_command_reads_is_in_the_wheel(pattern: str) -> None:
    setup = tomllib.loads((CODE / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    places = {name: name.replace(".", "/") for name in setup["packages"]} | setup["package-dir"]
    listed = {
        file
        for name, patterns in setup["package-data"].items()
        for each in patterns
        for file in (FILES / places[name]).glob(each)
    }
    here = {path for path in FILES.glob(pattern) if path.is_file() and path.suffix != ".pyc"}
    assert here
    assert here <= listed


def test_every_package_is_in_the_wheel() -> None:
    setup = tomllib.loads((CODE / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    roots = ("data", "models", "training", "serve_app", "loadtest")
    found = {
        str(file.parent.relative_to(CODE)).replace("/", ".")
        for root in roots
        for file in (CODE / root).rglob("__init__.py")
    }
    assert found == {name for name in setup["packages"] if not name.startswith("telltale_files")}
