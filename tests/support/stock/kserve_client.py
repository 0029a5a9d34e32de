"""KServe's own client asks a service at URL about the WAV files CLIPS; what it reads, as JSON.

.venv-clients/bin/python tests/support/stock/kserve_client.py URL MODEL CLIP...
"""

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput


def of_clips(clips: list[bytes]) -> InferInput:
    clip = InferInput("clip", [len(clips)], "BYTES")
    clip.set_data_from_numpy(np.array(clips, np.object_), binary_data=True)
    return clip


def of_waveforms(clips: list[bytes], binary: bool) -> InferInput:
    waveforms = np.stack([soundfile.read(io.BytesIO(raw), dtype="float32")[0] for raw in clips])
    found = InferInput("waveform", list(waveforms.shape), "FP32")
    found.set_data_from_numpy(waveforms, binary_data=binary)
    return found


async def asked(url: str, model: str, clips: list[bytes]) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2", timeout=60)) as client:

        async def labels(sent: InferInput, binary: bool) -> Any:
            wanted = [RequestedOutput("label", {"binary_data": binary})]
            order = InferRequest(model, [sent], request_id="r-7", request_outputs=wanted)
            found = await client.infer(url, order, model_name=model)
            texts = found.get_output_by_name("label").as_numpy().tolist()
            return [text.decode() if isinstance(text, bytes) else text for text in texts]

        async def refusal(model: str, raw: bytes) -> str:
            try:
                await client.infer(url, InferRequest(model, [of_clips([raw])]), model_name=model)
            except httpx.HTTPStatusError as error:
                return str(error)
            return ""

        whole = await client.infer(url, InferRequest(model, [of_clips(clips)]), model_name=model)
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model ready": await client.is_model_ready(url, model),
            "another ready": await client.is_model_ready(url, "another"),
            "confidence": whole.get_output_by_name("confidence").as_numpy().tolist(),
            "labels": [
                await labels(sent, binary)
                for binary in (True, False)
                for sent in (of_clips(clips), of_waveforms(clips, binary))
            ],
            "another": await refusal("another", clips[0]),
            "no clip": await refusal(model, b"no recording at all"),
        }


if __name__ == "__main__":
    url, model, *files = sys.argv[1:]
    found = asyncio.run(asked(url, model, [Path(file).read_bytes() for file in files]))
    sys.stdout.write(json.dumps(found))
