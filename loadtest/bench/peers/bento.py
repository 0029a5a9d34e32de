"""BentoML with adaptive batching, two workers.

Tried at 8 and 32 connections, requests a second: async with batches of 4, 570 and 535 (kept),
and of 16, 517 and 496; in one thread with batches of 4, 490 and 486, and of 16, 499 and 489;
of 100 within 100 ms, 516 and 444 with errors; two threads 265 and 260.
"""

from pathlib import Path

import bentoml
import orjson

from loadtest.bench.peers.inference import Kernel


@bentoml.service(workers=2, threads=1, traffic={"timeout": 60, "max_concurrency": 1000})
class Predict:
    def __init__(self) -> None:
        self.kernel = Kernel()

    @bentoml.api(route="/predict", batchable=True, max_batch_size=4, max_latency_ms=60_000)
    async def predict(self, file: list[Path]) -> list[dict[str, object]]:
        batch = [self.kernel.features(path.read_bytes()) for path in file]
        return [orjson.loads(answer) for answer in self.kernel.answers(batch)]
