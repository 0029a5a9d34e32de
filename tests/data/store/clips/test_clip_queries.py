"""clip_queries.py: kept clips are counted by what they are, on every database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from data.database.schema import clips
from data.store.clips.clip_queries import CountedClips
from data.store.store import Store
from support.inputs.uploads import new_clip

pytest_plugins = ["support.databases"]


def test_clips_are_counted_by_label_state_and_week(store: Store) -> None:
    for raw, label, state in (
        (b"a", "normal", "accepted"),
        (b"b", "normal", "accepted"),
        (b"c", None, "quarantined"),
    ):
        store.clips.add(new_clip(raw, label, state), who="ann")  # type: ignore[arg-type]
    store.clips.add(new_clip(b"d", domain="keywords"), who="ann")
    rows = store.counts.kept("faults")
    source = rows[0].source
    assert set(rows) == {
        CountedClips(None, "quarantined", None, source, 1),
        CountedClips("normal", "accepted", None, source, 2),
    }
    year, week, _ = datetime.now(UTC).isocalendar()
    assert store.counts.by_week("faults") == {f"{year}-W{week:02}": {"": 1, "normal": 2}}


def test_a_week_is_one_of_utc_whatever_zone_the_database_keeps(
    store: Store, database_url: str, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.clips.add(new_clip(b"a", "normal"), who="ann")
    today = datetime.now(UTC).replace(hour=20)
    sunday = today - timedelta(days=today.isoweekday())
    with store.clips._database.write() as connection:
        connection.execute(update(clips).values(created_at=sunday))
    monkeypatch.setenv("PGTZ", "Pacific/Kiritimati")
    abroad = Store.open(database_url, str(storage))
    year, week, _ = sunday.isocalendar()
    assert list(abroad.counts.by_week("faults")) == [f"{year}-W{week:02}"]
    abroad.close()


def test_only_what_is_not_learnt_yet_waits(store: Store) -> None:
    store.clips.add(new_clip(b"a", "normal"), who="ann")
    learnt = store.snapshots.take("faults", who="ann")
    store.snapshots.mark_learnt(learnt.id, "7", {}, who="ann")
    store.clips.add(new_clip(b"b", "fluid"), who="ann")
    store.clips.add(new_clip(b"c", "fluid", "quarantined"), who="ann")
    assert store.counts.waiting("faults") == {"fluid": 1}
