"""What most people write: FastAPI, an async endpoint with `UploadFile`, and the kernel in it. And
`seed`, how such services are usually begun: a sync endpoint, librosa, eager torch, one clip at a
time; the same weights and the same features by the tools of a notebook, its kernel is its own.
"""

import io
from functools import partial

import numpy as np
from fastapi import FastAPI, Request, Response, UploadFile

from data.arrays import Floats
from data.domains.domain import of_sounds
from data.domains.sections import LogMelSpec
from data.media.audio.features import windows
from data.media.audio.loudness import at_loudness
from loadtest.bench.peers.inference import Kernel, as_json, bundle_from_env
from models.runtime import TorchModel


def app() -> FastAPI:
    kernel = Kernel()
    application = FastAPI()

    @application.post("/predict")
    async def predict(file: UploadFile) -> Response:
        return Response(kernel(await file.read()), media_type="application/json")

    @application.post("/raw")
    async def raw(request: Request) -> Response:
        return Response(kernel(await request.body()), media_type="application/json")

    return application


def seed() -> FastAPI:
    import librosa  # whose memory is not the other's

    bundle = bundle_from_env()
    model = TorchModel(bundle, device="cpu")
    domain = of_sounds(bundle.domain)
    spec, heard = domain.features, domain.input
    assert isinstance(spec, LogMelSpec), spec
    application = FastAPI()

    sizes = {"n_fft": spec.n_fft, "hop_length": spec.hop_length, "n_mels": spec.n_mels}
    bands = {
        "fmin": spec.fmin_hz,
        "fmax": spec.fmax_hz,
        "htk": spec.mel_scale == "htk",
        "norm": None,
    }
    mel = partial(librosa.feature.melspectrogram, pad_mode="reflect", **sizes, **bands)

    def log_mel(clip: bytes) -> Floats:
        samples, rate_hz = librosa.load(io.BytesIO(clip), sr=heard.sample_rate_hz, mono=True)
        power = mel(y=windows(at_loudness(samples, heard)[0], heard), sr=rate_hz)
        return np.asarray(np.log(power + 1e-6), np.float32)

    @application.post("/predict")
    def predict(file: UploadFile) -> Response:
        scores = model.predict([log_mel(file.file.read())])[0]
        return Response(as_json(bundle, scores), media_type="application/json")

    return application
