"""LitServe with batching, two inference workers and two API servers.

TELLTALE_BENCH_BUNDLE=models/pretrained/faults python -m loadtest.peers.litserve_app --port 8000
"""

import argparse

import litserve
from fastapi import Request, Response

from loadtest.peers.kernel import Kernel
from models.tensors import Floats


class Predict(litserve.LitAPI):  # type: ignore[misc]  # the library is untyped
    def setup(self, device: str) -> None:
        self.kernel = Kernel()

    def decode_request(self, request: Request) -> Floats:
        # The annotation makes LitServe parse the form; what arrives here is the form.
        return self.kernel.features(request["file"].file.read())

    def batch(self, inputs: list[Floats]) -> list[Floats]:
        return inputs

    def predict(self, x: list[Floats]) -> list[bytes]:
        return self.kernel.answers(x)

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        return output

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="application/json")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--api-servers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--wait-s", type=float, default=0.001)
    parser.add_argument("--fast-queue", action="store_true")
    options = parser.parse_args()
    api = Predict(max_batch_size=options.batch, batch_timeout=options.wait_s)
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=options.workers,
        timeout=False,
        fast_queue=options.fast_queue,
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        num_api_servers=options.api_servers,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
