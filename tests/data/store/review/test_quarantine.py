"""What people without a key may leave waiting, on both databases."""

import os
import subprocess
import threading
from hashlib import sha256 as digest
from pathlib import Path

import pytest
from sqlalchemy import select

from data.database.database import Database
from data.database.schema import feedback
from data.errors import DiskFull, NotReady, Overloaded, UnknownName
from data.store.disk import Disk
from data.store.review import quarantine
from data.store.review.feedback import Feedback
from data.store.store import Store
from support.inputs.uploads import new_clip

MB = 1_000_000


def send(store: Store, raw: bytes, address: str = "10.0.0.1", label: str = "fluid") -> Feedback:
    new = new_clip(raw, label, "quarantined")
    return store.quarantine.add(
        new,
        address=address,
        predicted="normal",
        confidence=0.7,
        corrected=label,
        version="3",
        state="quarantined",
        reason="waits",
        who="anonymous",
    )


def name(raw: bytes) -> str:
    return digest(raw).hexdigest()


def clip_of(size: int = 1000) -> bytes:
    return os.urandom(size)


def blobs(storage: Path) -> set[str]:
    return {path.name for path in storage.rglob("*") if path.is_file()}


def addresses(database_url: str) -> list[str | None]:
    database = Database(database_url)
    with database.read() as connection:
        found = list(connection.execute(select(feedback.c.address)).scalars())
    database.close()
    return found


@pytest.fixture
def disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A disk that is as large and as full as a test says."""
    sizes = {"total": 100 * MB, "free": 50 * MB}
    monkeypatch.setattr(store.quarantine, "_disk", lambda: Disk(sizes["total"], sizes["free"]))
    return sizes


def test_one_address_may_leave_so_many_and_others_still_may(
    store: Store, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_OF_ADDRESS", 3)
    kept = [send(store, clip_of()) for _ in range(3)]
    with pytest.raises(Overloaded, match="3 corrections.*your address.*with a key") as refusal:
        send(store, clip_of())
    assert refusal.value.retry_after_s >= 60
    assert blobs(storage) == {said.clip_sha256 for said in kept}
    assert send(store, clip_of(), "10.0.0.2").state == "quarantined"


def test_the_same_clip_sent_again_counts_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_OF_ADDRESS", 3)
    for label in ("fluid", "mechanical", "electrical"):
        send(store, b"hum", label=label)
    with pytest.raises(Overloaded):
        send(store, b"hum", label="fluid")


def test_what_is_said_again_adds_no_row(store: Store) -> None:
    store.clips.add(new_clip(b"known", "fluid"), who="ann")
    for raw in (b"waits", b"known"):
        sent = [send(store, raw, f"10.0.0.{n}") for n in range(3)]
        assert len({said.receipt for said in sent}) == 1
    found = [said.state for said in store.feedback.find("faults")]
    assert found == ["quarantined", "accepted"]
    assert len(store.events.find()) == 2 + 2, "clips and receipts"
    store.feedback.reject(store.feedback.find("faults")[0].receipt, who="admin", reason="a door")
    assert send(store, b"waits").state == "quarantined", "an admin is asked again"


def test_one_address_fills_a_tenth_of_the_room(store: Store, disk: dict[str, int]) -> None:
    for _ in range(2):  # 0.5 MB of 5 MB
        send(store, clip_of(240_000))
    with pytest.raises(Overloaded, match=r"\(0\.5 MB\)"):
        send(store, clip_of(240_000))
    large = send(store, clip_of(2_000_000), "10.0.0.2")
    assert large.state == "quarantined", "a first one may be larger than that"


def test_the_oldest_makes_room_and_its_receipt_says_why(
    store: Store, storage: Path, disk: dict[str, int]
) -> None:
    first, *rest = [send(store, clip_of(MB), f"10.0.0.{n}") for n in range(6)]
    gone = store.feedback.get(first.receipt)
    assert gone.state == "rejected"
    assert "waited longest" in gone.reason
    with pytest.raises(UnknownName):
        store.clips.get("faults", first.clip_sha256)
    assert blobs(storage) == {said.clip_sha256 for said in rest}
    assert {store.feedback.get(said.receipt).state for said in rest} == {"quarantined"}


def test_what_others_sent_or_decided_does_not_make_room(
    store: Store, storage: Path, disk: dict[str, int]
) -> None:
    raw = [clip_of(MB) for _ in range(3)]
    store.clips.add(new_clip(raw[0], "normal", "accepted"), who="ann")
    send(store, raw[0], "10.0.0.1")  # contradicts an accepted clip
    send(store, raw[1], "10.0.0.2")
    sha256 = send(store, raw[2], "10.0.0.3").clip_sha256
    store.clips.set_state("faults", sha256, "rejected", who="admin", reason="a door")
    viewers, _ = store.clips.add(new_clip(clip_of(MB), "fluid", "quarantined"), who="vera")
    for number in range(4, 12):
        send(store, clip_of(MB), f"10.0.0.{number}")
    kept = {clip.sha256: clip.state for clip in store.clips.find("faults", limit=None)}
    assert kept[name(raw[0])] == "accepted"
    assert kept[sha256] == "rejected"
    assert kept[viewers.sha256] == "quarantined"
    assert name(raw[1]) not in kept
    assert blobs(storage) == set(kept)


def test_the_address_is_forgotten_once_it_is_decided(store: Store, database_url: str) -> None:
    accepted, rejected, forgotten, waits = [send(store, clip_of()) for _ in range(4)]
    store.feedback.accept(accepted.receipt, who="admin")
    store.feedback.reject(rejected.receipt, who="admin")
    store.clips.forget("faults", forgotten.clip_sha256, who="admin")
    assert sorted(addresses(database_url), key=str) == ["10.0.0.1", None, None, None]
    again = send(store, b"known")
    store.clips.set_state("faults", again.clip_sha256, "accepted", who="admin")
    store.clips.add(new_clip(b"ann's", "fluid"), who="ann")
    assert send(store, b"ann's").state == "accepted", "it agrees with what is known"
    assert addresses(database_url).count(None) == 5
    assert "10.0.0.1" not in str(store.events.find(limit=1000))
    assert store.feedback.get(waits.receipt).state == "quarantined"


def test_near_the_end_of_the_disk_only_keys_are_let_in(
    store: Store, storage: Path, disk: dict[str, int]
) -> None:
    disk["free"] = 5 * MB
    with pytest.raises(DiskFull, match="nearly full.*with a key"):
        send(store, clip_of())
    assert blobs(storage) == set()
    clip, _ = store.clips.add(new_clip(clip_of()), who="ann")
    assert store.clips.read(clip.sha256)


def test_racing_senders_leave_no_more_than_one_after_another(
    store: Store, storage: Path, disk: dict[str, int]
) -> None:
    def race(number: int) -> None:
        for part in range(4):
            send(store, clip_of(MB), f"10.0.{number}.{part}")

    racers = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    waiting = store.feedback.find("faults", state="quarantined", limit=None)
    assert len(waiting) == 5  # 5 MB
    assert blobs(storage) == {said.clip_sha256 for said in waiting}
    decided = store.feedback.find("faults", state="rejected", limit=None)
    assert len(decided) == 11


def test_racing_senders_of_one_address_keep_to_its_share(
    store: Store, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_OF_ADDRESS", 3)
    refused: list[Overloaded] = []

    def race() -> None:
        for _ in range(3):
            try:
                send(store, clip_of())
            except Overloaded as error:
                refused.append(error)

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    kept = store.feedback.find("faults", state="quarantined", limit=None)
    assert (len(kept), len(refused)) == (3, 9)
    assert blobs(storage) == {said.clip_sha256 for said in kept}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_on_a_real_disk_keys_go_on_until_it_is_full_and_the_others_do_not(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small], check=True)
    try:
        store = Store.open(f"sqlite:///{small}/telltale.db", str(small / "blobs"))
        for number in range(100):  # many addresses, far more than the disk holds
            send(store, clip_of(400_000), f"10.0.0.{number}")
        waiting = store.feedback.find("faults", state="quarantined", limit=None)
        assert 0 < len(waiting) * 400_000 <= 2 * MB + MB // 10
        kept: list[str] = []
        with pytest.raises(NotReady, match="disk is full"):
            fill(store, kept)
        assert len(kept) > 20
        assert blobs(small / "blobs") == {*kept, *(said.clip_sha256 for said in waiting)}
        with pytest.raises(DiskFull, match="nearly full"):
            send(store, clip_of(), "10.0.1.1")
        assert store.clips.read(kept[-1])
        store.close()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def fill(store: Store, kept: list[str]) -> None:
    for _ in range(100):
        kept.append(store.clips.add(new_clip(clip_of(400_000)), who="ann")[0].sha256)
