"""LitServe with batching, two inference workers and two API servers; its argument is the port."""

import sys

import litserve
from fastapi import Request, Response

from data.arrays import Floats
from loadtest.bench.peers.inference import Kernel


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


if __name__ == "__main__":
    api = Predict(max_batch_size=4, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2, timeout=False)
    quiet = {"log_level": "warning", "access_log": False, "generate_client_file": False}
    server.run(host="127.0.0.1", port=int(sys.argv[-1]), num_api_servers=2, **quiet)
