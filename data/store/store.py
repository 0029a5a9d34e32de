"""Everything that is kept, behind one object.

    store = Store.open("sqlite:////folder/telltale.db", "/folder/blobs")
    clip, created = store.clips.add(NewClip(raw, domain="faults", ...), who="anna")

All calls block. Any number of threads share one store; each process opens its own, on the
same database and blobs.
"""

from collections.abc import Callable
from functools import partial

from data.database.database import Database
from data.store.analysis_jobs import AnalysisJobs
from data.store.blobs import Blobs, open_blobs
from data.store.clips.clip_features import ClipFeatures
from data.store.clips.clip_queries import ClipCounts
from data.store.clips.clip_store import ClipStore
from data.store.disk import Disk, fullest, local_folders
from data.store.events import Events
from data.store.kept_predictions import KeptPredictions
from data.store.keys import Keys
from data.store.resumable_uploads import Uploads
from data.store.review.feedback import Corrections
from data.store.review.flags import Flags
from data.store.review.quarantine import Quarantine
from data.store.review.reviews import Reviews
from data.store.run_rows import RunTable
from data.store.snapshots import Snapshots


class Store:
    def __init__(self, database: Database, blobs: Blobs, disk: Callable[[], Disk | None]) -> None:
        self._database = database
        self.clips = ClipStore(database, blobs)
        self.counts = ClipCounts(database)
        self.feedback = Corrections(database, self.clips)
        self.reviews = Reviews(database, blobs)
        self.quarantine = Quarantine(database, self.clips, disk)
        self.snapshots = Snapshots(database)
        self.flags = Flags(database)
        self.features = ClipFeatures(database)
        self.runs = RunTable(database)
        self.events = Events(database)
        self.keys = Keys(database)
        self.uploads = Uploads(database, blobs, disk)
        self.jobs = AnalysisJobs(database, self.uploads)
        self.predictions = KeptPredictions(database, blobs, self.clips, disk)

    @classmethod
    def open(cls, database_url: str, storage_uri: str) -> "Store":
        """Makes or updates the tables first; raises NotReady if the database is away."""
        database = Database(database_url)
        try:
            database.migrate()
            folders = local_folders(database_url, storage_uri)
            return cls(database, open_blobs(storage_uri), partial(fullest, folders))
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        self._database.close()
