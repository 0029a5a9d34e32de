"""The least an HTTP server can do: a bare ASGI application, with the kernel, or with a fixed answer
after the same body is read: what the client could reach if serving were free.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

JSON = (b"content-type", b"application/json")


def app() -> ASGIApp:
    from loadtest.bench.peers.inference import Kernel

    return _application(Kernel())


def nothing() -> ASGIApp:
    return _application(lambda clip: b'{"label": "none"}')


def _application(answer: Callable[[bytes], bytes]) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        chunks, more = [], True
        while more:
            message = await receive()
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        content_type = dict(scope["headers"]).get(b"content-type", b"")
        body = answer(clip_in(content_type, b"".join(chunks)))
        headers = [JSON, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def clip_in(content_type: bytes, body: bytes) -> bytes:
    """The only part of a form, found by its first empty line and its closing boundary."""
    if not content_type.startswith(b"multipart/form-data"):
        return body
    return body[body.index(b"\r\n\r\n") + 4 : body.rindex(b"\r\n--")]
