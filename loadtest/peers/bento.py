"""BentoML with adaptive batching, two workers.

    TELLTALE_BENCH_BUNDLE=models/pretrained/faults \
        python -m bentoml serve loadtest.peers.bento:Predict --port 8000
"""

from pathlib import Path

import bentoml
import orjson

from loadtest.peers.kernel import Kernel


@bentoml.service(workers=2, threads=1, traffic={"timeout": 60, "max_concurrency": 1000})
class Predict:
    def __init__(self) -> None:
        self.kernel = Kernel()

    @bentoml.api(route="/predict", batchable=True, max_batch_size=4, max_latency_ms=60_000)
    def predict(self, file: list[Path]) -> list[dict[str, object]]:
        batch = [self.kernel.features(path.read_bytes()) for path in file]
        return [orjson.loads(answer) for answer in self.kernel.answers(batch)]
