"""`python -m serve_app backup` and `restore`: one file that a home can be made from again."""

import fcntl
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from data.database.schema import now
from data.errors import Conflict, InvalidParameter, NotReady, TelltaleError, UnknownName
from data.home import Home, home_from_env
from data.store.analysis_jobs import Job
from data.store.store import Store
from models.registry.registry import Registry
from serve_app.backups import backup
from serve_app.backups.backup import write_backup
from serve_app.backups.restore import restore_backup
from serve_app.key_file import known_keys
from serve_app.replica.champion_pointer import Pointer, read_pointer, write_pointer
from support.inputs.uploads import new_clip
from support.keys import old_key
from support.tiny import tiny_bundle


def new_home(root: Path, **environ: str) -> Home:
    return home_from_env({"TELLTALE_HOME": str(root), **environ})


def opened(home: Home) -> Store:
    return Store.open(home.database_url, home.storage_uri)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with ten clips, of one a correction, and a key; no registry, which takes seconds."""
    home = new_home(tmp_path / "home")
    store = opened(home)
    added = store.clips.add_many([new_clip(os.urandom(5000)) for _ in range(10)], who="ann")
    assert len(added) == 10
    old_key(home.root, "ann", "viewer")
    store.close()
    return home


@pytest.fixture
def file(home: Home, tmp_path: Path) -> Path:
    write_backup(home, tmp_path / "backup.tar")
    return tmp_path / "backup.tar"


def contents(home: Home) -> dict[str, bytes]:
    """Every clip with its bytes."""
    store = opened(home)
    found = {
        clip.sha256: store.clips.read(clip.sha256)
        for clip in store.clips.find("faults", limit=None)
    }
    store.close()
    return found


def test_another_home_is_made_from_the_file_with_clips_keys_and_champion(
    home: Home, tmp_path: Path
) -> None:
    store = opened(home)
    store.keys.add("bob", "contributor", who="ann")
    store.close()
    (home.root / "admin-key").write_text("tt_the-admins-own-key\n", encoding="utf-8")
    registry = Registry(home.tracking_uri, home.artifact_root)
    version = registry.register(tiny_bundle(tmp_path / "bundle"), run_id=None, tags={})
    registry.promote("keywords", version.number)
    write_pointer(home, Pointer("keywords", version.number, version.digest))
    before = contents(home)
    run = [sys.executable, "-m", "serve_app"]
    environment = {**os.environ, "TELLTALE_HOME": str(home.root)}
    subprocess.run([*run, "backup", str(tmp_path / "b.tar")], env=environment, check=True)
    home.root.rename(tmp_path / "moved away")  # what still points there is not found
    environment["TELLTALE_HOME"] = str(tmp_path / "other")
    subprocess.run([*run, "restore", str(tmp_path / "b.tar")], env=environment, check=True)
    other = new_home(tmp_path / "other")
    assert contents(other) == before
    store = opened(other)
    known = known_keys(store.keys, other.root).keys.values()
    assert {key.name: key.role for key in known} == {"ann": "viewer", "bob": "contributor"}
    store.close()
    assert (other.root / "admin-key").read_text(encoding="utf-8") == "tt_the-admins-own-key\n"
    again = Registry(other.tracking_uri, other.artifact_root)
    champion = again.champion("keywords")
    assert champion is not None
    assert champion.digest == version.digest
    assert again.fetch(champion, other.bundles).is_dir()
    assert read_pointer(other, "keywords") == Pointer("keywords", version.number, version.digest)
    again.register(tiny_bundle(tmp_path / "next", seed=1), run_id=None, tags={})
    assert not (home.root).exists(), "nothing goes to where the home was"


def test_recordings_on_their_way_are_left_out_with_what_waits_for_them(
    home: Home, tmp_path: Path
) -> None:
    store = opened(home)
    uploads = [store.uploads.begin("faults", 3, who="ann") for _ in range(3)]
    for upload in uploads:
        store.uploads.append(upload.id, 0, io.BytesIO(b"abc"), 3)
    for upload in uploads[1:]:
        store.jobs.add(Job(upload.id, "faults", "ann", "", {}, now()))
    ended = store.jobs.claim("faults")
    assert ended is not None
    store.jobs.end(ended, result={"events": []})
    store.close()
    write_backup(home, tmp_path / "b.tar")
    other = new_home(tmp_path / "other")
    restore_backup(other, tmp_path / "b.tar")
    store = opened(other)
    assert store.jobs.unfinished() == []
    assert store.jobs.get(ended.id).result == {"events": []}
    for upload in uploads:
        with pytest.raises(UnknownName):
            store.uploads.get(upload.id)
    store.close()


def test_while_clips_are_added_and_forgotten_no_row_is_kept_without_its_bytes(
    home: Home, tmp_path: Path
) -> None:
    before, stop = set(contents(home)), threading.Event()

    def change() -> None:
        store = opened(home)
        while not stop.is_set():
            added = store.clips.add_many([new_clip(os.urandom(3000)) for _ in range(3)], who="bob")
            for one in added[1:]:
                assert not isinstance(one, Conflict)
                store.clips.forget("faults", one[0].sha256, who="bob")
        store.close()

    writers = [threading.Thread(target=change) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        lost = [write_backup(home, tmp_path / f"{number}.tar") for number in range(5)]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert lost == [[]] * 5
    for number in range(5):
        other = new_home(tmp_path / f"other {number}")
        restore_backup(other, tmp_path / f"{number}.tar")
        assert set(contents(other)) >= before


def test_a_clip_that_is_forgotten_in_mid_backup_is_not_in_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clips = opened(home), sorted(contents(home))
    add = backup._add_clip

    def forget_the_last(snapshot: Store, archive: backup.Archive, sha256: str) -> bool:
        if sha256 == clips[0]:
            store.clips.forget("faults", clips[-1], who="ann")
        return add(snapshot, archive, sha256)

    monkeypatch.setattr(backup, "_add_clip", forget_the_last)
    assert write_backup(home, tmp_path / "b.tar") == []
    other = new_home(tmp_path / "other")
    restore_backup(other, tmp_path / "b.tar")
    assert sorted(contents(other)) == clips[:-1]


def test_what_is_just_being_written_is_not_in_it(home: Home, tmp_path: Path) -> None:
    write_pointer(home, Pointer("keywords", "1", "d"))
    (home.root / "champions" / "keywords.4711").write_text("{", encoding="utf-8")
    (home.root / "keys.partial").write_text("{", encoding="utf-8")
    (home.root / "artifacts").mkdir()
    (home.root / "artifacts" / "link").symlink_to("/etc/passwd")
    write_backup(home, tmp_path / "b.tar")
    other = new_home(tmp_path / "other")
    restore_backup(other, tmp_path / "b.tar")
    assert read_pointer(other, "keywords") == Pointer("keywords", "1", "d")
    assert len(list((other.root / "champions").iterdir())) == 1


def test_a_clip_whose_bytes_are_lost_is_named_and_left_out(home: Home, tmp_path: Path) -> None:
    one, two, *rest = sorted(contents(home))
    (home.root / "blobs" / one[:2] / one).unlink()
    (home.root / "blobs" / two[:2] / two).write_bytes(b"not what was sent")
    assert write_backup(home, tmp_path / "b.tar") == [one, two]
    other = new_home(tmp_path / "other")
    restore_backup(other, tmp_path / "b.tar")
    assert sorted(contents(other)) == rest
    assert opened(home).clips.get("faults", one), "what is served is not changed by it"


def test_the_file_is_its_owners_alone_and_never_written_over(home: Home, file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    with pytest.raises(Conflict, match="already"):
        write_backup(home, file)
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == ["backup.tar", "home"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_backup_that_does_not_fit_is_not_there(home: Home, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", small], check=True)
    try:
        with pytest.raises(NotReady):
            write_backup(home, small / "b.tar")
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def refused(file: Path, root: Path) -> str:
    """In words, with nothing restored."""
    home = new_home(root)
    with pytest.raises(TelltaleError) as refusal:
        restore_backup(home, file)
    left = {path.name for path in home.root.rglob("*")}
    assert left <= {"running.lock"}
    return str(refusal.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.99])
def test_a_backup_that_is_cut_off_is_refused(file: Path, tmp_path: Path, share: float) -> None:
    with tarfile.open(file) as tar:
        manifest = tar.getmembers()[-1]
    os.truncate(file, int(share * (manifest.offset_data + manifest.size)))
    assert "no whole backup" in refused(file, tmp_path / "other")


def test_a_backup_that_is_damaged_anywhere_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    with tarfile.open(file) as tar:
        members = tar.getmembers()
    for number, member in enumerate(members):
        places = (member.offset, member.offset_data + member.size // 2)
        for place in places if member.size else places[:1]:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
            refused(file, tmp_path / f"other {number}")


def rewritten(file: Path, change: Callable[[tarfile.TarFile], object], leave: str = "") -> Path:
    """The backup with something added before its manifest, or a member left out."""
    target = file.with_name("rewritten.tar")
    with tarfile.open(file) as old, tarfile.open(target, "w") as new:
        for member in old.getmembers():
            if member.name == "manifest.json":
                change(new)
            if not leave or not member.name.startswith(leave):
                new.addfile(member, old.extractfile(member))
            leave = "" if leave and member.name.startswith(leave) else leave
    return target


def added(tar: tarfile.TarFile, name: str, raw: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(raw)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(raw))


@pytest.mark.parametrize(
    "change",
    [
        lambda tar: added(tar, "../evil", b"x"),
        lambda tar: added(tar, "/tmp/evil", b"x"),
        lambda tar: added(tar, "artifacts/../../evil", b"x"),
        lambda tar: added(tar, "blobs/ab/evil", b"x"),
        lambda tar: added(tar, "ray-token", b"x"),
        lambda tar: added(tar, "artifacts/a", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        lambda tar: added(tar, "artifacts/a", type=tarfile.LNKTYPE, linkname="telltale.db"),
        lambda tar: added(tar, "artifacts/a", type=tarfile.FIFOTYPE),
        lambda tar: added(tar, "artifacts", type=tarfile.DIRTYPE),
        lambda tar: added(tar, "artifacts/not-in-the-manifest", b"x"),
        lambda tar: added(tar, "telltale.db", b"x"),
    ],
)
def test_a_member_that_no_backup_has_is_refused(
    file: Path, tmp_path: Path, change: Callable[[tarfile.TarFile], object]
) -> None:
    assert "no whole backup" in refused(rewritten(file, change), tmp_path / "other")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("leave", ["blobs/", "telltale.db", "keys.json", "manifest.json"])
def test_a_backup_that_lacks_a_member_is_refused(file: Path, tmp_path: Path, leave: str) -> None:
    lacking = rewritten(file, lambda tar: None, leave)
    assert "no whole backup" in refused(lacking, tmp_path / "other")


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{" * 10_000, b"[" * 100_000, b'{"format": 1, "files": ["a"], "home": "/"}'],
)
def test_a_manifest_that_is_none_is_refused(file: Path, tmp_path: Path, raw: bytes) -> None:
    put = rewritten(file, lambda tar: added(tar, "manifest.json", raw), "manifest.json")
    assert "no whole backup" in refused(put, tmp_path / "other")


def test_the_backup_of_a_newer_telltale_is_refused(file: Path, tmp_path: Path) -> None:
    raw = json.dumps({"format": 2, "files": {}, "home": "/"}).encode()
    newer = rewritten(file, lambda tar: added(tar, "manifest.json", raw), "manifest.json")
    assert "format 2" in refused(newer, tmp_path / "other")


def test_a_home_that_runs_or_has_something_in_it_is_not_written_to(
    home: Home, file: Path, tmp_path: Path
) -> None:
    before = contents(home)
    with pytest.raises(Conflict, match="telltale.db.*move it away"):
        restore_backup(home, file)
    assert contents(home) == before
    other = new_home(tmp_path / "other")
    with open(other.root / "running.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="runs in"):
            restore_backup(other, file)
    restore_backup(other, file)
    assert contents(other) == before


@pytest.mark.parametrize(
    "setting",
    [
        {"TELLTALE_DATABASE_URL": "postgresql://u:secret@db/telltale"},
        {"TELLTALE_STORAGE_URI": "s3://bucket/clips"},
        {"MLFLOW_TRACKING_URI": "http://mlflow:5000"},
        {"TELLTALE_ARTIFACTS_URI": "/shared/models"},
    ],
)
def test_a_store_that_is_elsewhere_is_not_left_out_in_silence(
    home: Home, file: Path, tmp_path: Path, setting: dict[str, str]
) -> None:
    (name,) = setting
    with pytest.raises(InvalidParameter, match=f"{name}.*pg_dump") as refusal:
        write_backup(new_home(home.root, **setting), tmp_path / "b.tar")
    assert "secret" not in str(refusal.value)
    with pytest.raises(InvalidParameter, match=name):
        restore_backup(new_home(tmp_path / "other", **setting), file)


def test_a_home_without_anything_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="nothing is kept"):
        write_backup(new_home(tmp_path / "home"), tmp_path / "b.tar")
