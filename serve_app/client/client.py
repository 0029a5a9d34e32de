"""Talks to a running service over HTTP: the page and the command line use it.

    with Client("http://127.0.0.1:8000", key="...") as client:
        print(client.predict("faults", Path("pump.wav").read_bytes()).label)

    async with AsyncClient("http://127.0.0.1:8000") as client:
        print((await client.predict("faults", clip)).label)

What can be asked is in `calls/`. Every failure is a ServiceError (`connection.py`) whose text may
be shown to a person.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from typing import Any, BinaryIO, Self, Unpack

import httpx

from .analysis_answers import Analysis, AnalysisJob, Progress, StreamAnswer, StreamFormat
from .call import Call, EventReader
from .calls import accounts, jobs, kept, kept_clips, predictions, retrains, service, teaching
from .calls.predictions import Wishes, heard
from .calls.retrains import ENDED, Followed
from .connection import Connection, ServiceError
from .long_analysis import LOOK_AGAIN_S, OPEN, Parts, found, withdrawing
from .senders import AsyncSender, Method, Sender
from .service_answers import RunEvent
from .stream import begun, stream, stream_async

BROKEN_OFF = "the answer ended before the recording was heard; send it again"


class ServiceCalls:
    """What both clients may be asked; the arguments are those of the functions."""

    me = Method(service.me)
    domains = Method(service.domains)
    status = Method(service.status)
    health = Method(service.health)
    ready = Method(service.ready)
    metrics = Method(service.metrics)
    model_info = Method(service.model_info)
    insights = Method(service.insights)
    history = Method(service.history)

    predict = Method(predictions.predict)
    batch_predict = Method(predictions.batch_predict)
    batch_table = Method(predictions.batch_table)
    analyze_as_table = Method(predictions.analyze_as_table)

    order_analysis = Method(jobs.order_analysis)
    job = Method(jobs.job)
    job_table = Method(jobs.job_table)
    cancel_job = Method(jobs.cancel_job)
    own_uploads = Method(jobs.own_uploads)
    uploaded_bytes = Method(jobs.uploaded_bytes)
    delete_upload = Method(jobs.delete_upload)

    correct = Method(teaching.correct)
    upload = Method(teaching.upload)
    receipt = Method(teaching.receipt)
    corrections = Method(teaching.corrections)
    own_receipts = Method(teaching.own_receipts)
    correction_mask = Method(teaching.correction_mask)
    accept_correction = Method(teaching.accept_correction)
    reject_correction = Method(teaching.reject_correction)

    clips = Method(kept_clips.clips)
    clip = Method(kept_clips.clip)
    content = Method(kept_clips.content)
    mask = Method(kept_clips.mask)
    accept = Method(kept_clips.accept)
    reject = Method(kept_clips.reject)
    relabel = Method(kept_clips.relabel)
    undo = Method(kept_clips.undo)
    regroup = Method(kept_clips.regroup)
    forget = Method(kept_clips.forget)

    kept_predictions = Method(kept.kept_predictions)
    predicted_clip = Method(kept.predicted_clip)
    replay = Method(kept.replay)
    label_prediction = Method(kept.label_prediction)
    diff = Method(kept.diff)

    retrain = Method(retrains.retrain)
    runs = Method(retrains.runs)
    run = Method(retrains.run)
    cancel = Method(retrains.cancel)
    models = Method(retrains.models)
    promote = Method(retrains.promote)
    roll_back = Method(retrains.roll_back)
    purge = Method(retrains.purge)


class AccountCalls:
    all_keys = Method(accounts.all_keys)
    add = Method(accounts.add)
    rotate = Method(accounts.rotate)
    expire = Method(accounts.expire)
    revoke = Method(accounts.revoke)
    events = Method(accounts.events)


class Accounts(Sender, AccountCalls): ...


class AsyncAccounts(AsyncSender, AccountCalls): ...


class Client(Sender, ServiceCalls):
    def __init__(self, url: str, key: str = "", *, timeout_s: float = 60.0, tries: int = 4) -> None:
        # Proxy variables of the environment are for the outside; the service is usually this
        # machine.
        pool = httpx.Client(trust_env=False)
        super().__init__(Connection(url, key.strip(), timeout_s, tries), pool)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    @property
    def accounts(self) -> Accounts:
        """Keys of others, and who did what; for admins."""
        return Accounts(self.link, self._pool)

    def stream(
        self,
        domain: str,
        blocks: Iterable[bytes],
        sample_rate_hz: int | None = None,
        format: StreamFormat = "pcm16",
    ) -> Iterator[StreamAnswer]:
        """Of live sound, 16-bit samples of one channel in blocks; answers while they are sent. Of
        "opus", a file (Ogg, WebM) as it is recorded, without a rate."""
        return stream(self.link, domain, blocks, begun(self.link, sample_rate_hz, format))

    def analyze(
        self,
        domain: str,
        recording: BinaryIO,
        *,
        watch: Callable[[Progress], None] = lambda progress: None,
        **wishes: Unpack[Wishes],
    ) -> Analysis:
        """The events of a recording of any length; `watch` is told how far it is. It is sent once,
        from where the file stands."""
        events = EventReader()
        try:
            for line in self.lines(predictions.analyze(domain, recording, wishes)):
                if (found := heard(events.take(line), watch)) is not None:
                    return found
        except httpx.TransportError as error:
            self.link.away(error)
        raise ServiceError(BROKEN_OFF)

    def upload_recording(self, domain: str, recording: BinaryIO) -> str:
        """In parts, from where the file stands; the id for `order_analysis`. What broke off goes
        on where it was."""
        parts = Parts(domain, recording)
        parts.upload = self.send(jobs.begin_upload(domain, parts.length))
        try:
            while parts.are_left:
                try:
                    parts.take(self.send(parts.next()))
                except ServiceError as error:
                    time.sleep(parts.lose(error))
                    parts.resume(self.uploaded_bytes(domain, parts.upload))
        except BaseException:
            self._withdraw(jobs.delete_upload(domain, parts.upload))
            raise
        return parts.upload

    def analyze_as_job(
        self,
        domain: str,
        recording: BinaryIO,
        *,
        watch: Callable[[Progress], None] = lambda progress: None,
        **wishes: Unpack[Wishes],
    ) -> Analysis:
        """As `analyze`, of a large file or on a line that breaks: sent in parts, and looked at
        until it is done, whatever ends meanwhile."""
        job = self.order_recording(domain, recording, **wishes)
        try:
            while job.state in OPEN:
                watch(job)
                time.sleep(LOOK_AGAIN_S)
                job = self.job(domain, job.id)
        except BaseException:
            self._withdraw(*withdrawing(domain, job.id))
            raise
        return found(job)

    def order_recording(
        self, domain: str, recording: BinaryIO, **wishes: Unpack[Wishes]
    ) -> AnalysisJob:
        """A recording in parts, and the job that listens to it, whoever looks meanwhile."""
        upload = self.upload_recording(domain, recording)
        try:
            return self.order_analysis(domain, upload, **wishes)
        except BaseException:
            self._withdraw(*withdrawing(domain, upload))
            raise

    def _withdraw(self, *calls: Call[Any]) -> None:
        """What nobody goes on with, also after Ctrl-C: it counts against the caller. The first of
        the calls that succeeds."""
        for call in calls:
            with suppress(ServiceError):
                self.impatient().send(call)
                return

    def follow(self, domain: str, run_id: str) -> Iterator[RunEvent]:
        """The run's events from its start until it ends, across lost connections."""
        followed, due = Followed(domain, run_id), True
        while due:
            try:
                for line in self.lines(followed.call()):
                    if event := followed.take(line):
                        yield event
                    if followed.finished:
                        return
                due = False
            except (httpx.TransportError, ServiceError) as error:
                due = followed.lose(error, self.link)
            due = due or self.run(domain, run_id).state not in ENDED
            time.sleep(followed.pause_s if due else 0)


class AsyncClient(AsyncSender, ServiceCalls):
    def __init__(self, url: str, key: str = "", *, timeout_s: float = 60.0, tries: int = 4) -> None:
        pool = httpx.AsyncClient(trust_env=False)
        super().__init__(Connection(url, key.strip(), timeout_s, tries), pool)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.aclose()

    @property
    def accounts(self) -> AsyncAccounts:
        """Keys of others, and who did what; for admins."""
        return AsyncAccounts(self.link, self._pool)

    def stream(
        self,
        domain: str,
        blocks: AsyncIterable[bytes],
        sample_rate_hz: int | None = None,
        format: StreamFormat = "pcm16",
    ) -> AsyncGenerator[StreamAnswer, None]:
        """As `Client.stream`."""
        return stream_async(self.link, domain, blocks, begun(self.link, sample_rate_hz, format))

    async def analyze(
        self,
        domain: str,
        recording: BinaryIO,
        *,
        watch: Callable[[Progress], None] = lambda progress: None,
        **wishes: Unpack[Wishes],
    ) -> Analysis:
        """As `Client.analyze`; the file is read in a thread."""
        events = EventReader()
        try:
            async with aclosing(
                self.lines(predictions.analyze(domain, recording, wishes))
            ) as lines:
                async for line in lines:
                    if (found := heard(events.take(line), watch)) is not None:
                        return found
        except httpx.TransportError as error:
            self.link.away(error)
        raise ServiceError(BROKEN_OFF)

    async def upload_recording(self, domain: str, recording: BinaryIO) -> str:
        """As `Client.upload_recording`; the file is read in a thread."""
        parts = Parts(domain, recording)
        parts.upload = await self.send(jobs.begin_upload(domain, parts.length))
        try:
            while parts.are_left:
                try:
                    parts.take(await self.send(await asyncio.to_thread(parts.next)))
                except ServiceError as error:
                    await asyncio.sleep(parts.lose(error))
                    parts.resume(await self.uploaded_bytes(domain, parts.upload))
        except BaseException:
            await self._withdraw(jobs.delete_upload(domain, parts.upload))
            raise
        return parts.upload

    async def analyze_as_job(
        self,
        domain: str,
        recording: BinaryIO,
        *,
        watch: Callable[[Progress], None] = lambda progress: None,
        **wishes: Unpack[Wishes],
    ) -> Analysis:
        """As `Client.analyze_as_job`."""
        job = await self.order_recording(domain, recording, **wishes)
        try:
            while job.state in OPEN:
                watch(job)
                await asyncio.sleep(LOOK_AGAIN_S)
                job = await self.job(domain, job.id)
        except BaseException:
            await self._withdraw(*withdrawing(domain, job.id))
            raise
        return found(job)

    async def order_recording(
        self, domain: str, recording: BinaryIO, **wishes: Unpack[Wishes]
    ) -> AnalysisJob:
        """As `Client.order_recording`."""
        upload = await self.upload_recording(domain, recording)
        try:
            return await self.order_analysis(domain, upload, **wishes)
        except BaseException:
            await self._withdraw(*withdrawing(domain, upload))
            raise

    async def _withdraw(self, *calls: Call[Any]) -> None:
        """As `Client._withdraw`."""
        for call in calls:
            with suppress(ServiceError):
                await self.impatient().send(call)
                return

    async def follow(self, domain: str, run_id: str) -> AsyncGenerator[RunEvent, None]:
        """As `Client.follow`."""
        followed, due = Followed(domain, run_id), True
        while due:
            try:
                async with aclosing(self.lines(followed.call())) as lines:
                    async for line in lines:
                        if event := followed.take(line):
                            yield event
                        if followed.finished:
                            return
                due = False
            except (httpx.TransportError, ServiceError) as error:
                due = followed.lose(error, self.link)
            due = due or (await self.run(domain, run_id)).state not in ENDED
            await asyncio.sleep(followed.pause_s if due else 0)
