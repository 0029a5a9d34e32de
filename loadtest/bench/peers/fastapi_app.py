"""What most people write: FastAPI, an async endpoint with `UploadFile`, and the kernel in it.

uvicorn loadtest.bench.peers.fastapi_app:app --factory --workers 2
"""

from fastapi import FastAPI, Request, Response, UploadFile

from loadtest.bench.peers.kernel import Kernel


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
