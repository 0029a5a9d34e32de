import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from models.registry.mlflow_store import opening
from models.registry.registry import Registry
from support.tiny import tiny_bundle

ROOT = Path(__file__).resolve().parents[3]


def test_a_store_is_opened_by_one_at_a_time(tmp_path: Path) -> None:
    uri, order = f"sqlite:///{tmp_path}/deep/mlflow.db", []

    def second() -> None:
        with opening(uri):
            order.append("second")

    with opening(uri):
        other = threading.Thread(target=second)
        other.start()
        other.join(timeout=0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_two_processes_may_open_an_empty_store_and_use_it_at_once(tmp_path: Path) -> None:
    bundles = [tiny_bundle(tmp_path / str(seed), seed=seed) for seed in range(2)]
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    story = (
        "import sys\nfrom pathlib import Path\n"
        "from models.bundle import load_bundle\nfrom models.registry.registry import Registry\n"
        f"registry = Registry({uri!r}, 'new/artifacts')\n"
        "bundle = load_bundle(Path(sys.argv[1]))\n"
        "version = registry.register(bundle, run_id=None, tags={})\n"
        "registry.promote('keywords', version.number)\n"
    )
    job = subprocess.Popen(
        [sys.executable, "-c", story, str(bundles[0].path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    registry = Registry(uri, str(tmp_path / "new" / "artifacts"))
    while not registry.versions("keywords") and job.poll() is None:
        registry.champion("keywords")
    registry.register(bundles[1], run_id=None, tags={})
    said = job.communicate()[0]
    assert (job.returncode, said) == (0, ""), "MLflow's chatter does not reach people"
    assert {version.number for version in registry.versions("keywords")} == {"1", "2"}
    champion = registry.champion("keywords")
    assert champion is not None
    assert champion.digest == bundles[0].digest


def test_what_has_a_registry_does_not_pay_for_pandas(tmp_path: Path) -> None:
    """Nor is it kept from whoever wants it afterwards."""
    bundle = tiny_bundle(tmp_path / "bundle")
    story = (
        "import sys\nfrom pathlib import Path\n"
        "from models.bundle import load_bundle\nfrom models.registry.registry import Registry\n"
        f"registry = Registry('sqlite:///{tmp_path}/mlflow.db', '{tmp_path}/artifacts')\n"
        f"version = registry.register(load_bundle(Path('{bundle.path}')), run_id=None, tags={{}})\n"
        "registry.promote('keywords', version.number)\n"
        f"registry.fetch(version, Path('{tmp_path}/cache'))\n"
        "print('pandas' in sys.modules)\nimport pandas\nprint(pandas.DataFrame.__name__)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.check_output([sys.executable, "-c", story], env=environment, text=True)
    assert said.split() == ["False", "DataFrame"]


def test_who_was_killed_while_it_was_made_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    """By a signal at the third of MLflow's migrations, as Ctrl-C during a first start does it."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    program = (
        "import os, signal, sqlalchemy as sa\n"
        "from models.registry.registry import Registry\n"
        "seen = []\n"
        "def die(connection, cursor, statement, *_):\n"
        "    if 'UPDATE alembic_version' in statement:\n"
        "        seen.append(statement)\n"
        "        len(seen) == 3 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "sa.event.listen(sa.engine.Engine, 'before_cursor_execute', die)\n"
        f"Registry({uri!r}, None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.glob("mlflow.db*")), "it was killed before there was anything"
    registry = Registry(uri, str(tmp_path / "artifacts"))
    assert registry.register(tiny_bundle(tmp_path / "b"), run_id=None, tags={}).number == "1"
    assert not list(tmp_path.glob("mlflow.db.part*"))
