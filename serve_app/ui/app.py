"""The page as a Ray Serve application of its own: `serve_app.ui.app:ui` in a Serve config.

Exactly one replica: Gradio keeps its sessions in memory, and Serve does not send a visitor back
to the replica that knows them. Gradio is loaded in that replica only, where it takes seconds.
"""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from ray import serve
from ray.serve import Application

from data.home import home_from_env
from serve_app.app import ON_HEAD
from serve_app.client.client import Client
from serve_app.cluster.ray_internals.inner_port import must_be_closed

DEFAULT_API = "http://127.0.0.1:8000"
AT_ONCE, MOST_WAITING = 16, 200  # events of a kind, and of all
STATUS_S = 5.0  # an open page is told sooner that the service hangs than a prediction gives up
# Anybody may begin one; each takes 0.15 MB, and keeps what it shows: a clip of a minute is 2.6 MB.
MOST_SESSIONS = 300


class Ui:
    """The page does all its work through HTTP; the replica itself adds nothing."""


def ui(args: dict[str, str]) -> Application:
    """`args`: api_url (where the service answers), examples (a folder with one of clips each)."""
    examples = Path(args["examples"]) if args.get("examples") else None
    api_url = args.get("api_url", DEFAULT_API)

    def page() -> FastAPI:  # Serve takes only a plain function for a builder, nothing like partial
        must_be_closed()
        home = home_from_env()
        return build_page(api_url, home.root / "page-uploads", examples, home.tracking_uri)

    deployment = serve.deployment(
        name="Ui",
        num_replicas=1,
        max_ongoing_requests=200,
        ray_actor_options={"num_cpus": 0.1, "resources": ON_HEAD},
    )(serve.ingress(page)(Ui))
    return deployment.bind()


def build_page(
    api_url: str, uploads: Path, examples: Path | None = None, tracking_uri: str = ""
) -> FastAPI:
    """`uploads` is emptied: nobody can ask about what an earlier page was sent."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Gradio would compute figures of its last 10,000 events, with pandas, after each event: up to
    # 20 ms, for a monitor that is off.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000000"
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)  # read when components are made
    shutil.rmtree(uploads, ignore_errors=True)
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    import gradio as gr

    from serve_app.ui import page, theme
    from serve_app.ui.assets import Assets
    from serve_app.ui.gradio_internals.event_queue import EventQueue
    from serve_app.ui.gradio_internals.plots import without_matplotlib
    from serve_app.ui.gradio_internals.sessions import Sessions
    from serve_app.ui.guard import MAX_UPLOAD_BYTES, Guard
    from serve_app.ui.link_preview import LinkPreview
    from serve_app.ui.standing import PATH, Standing
    from serve_app.ui.words.translate import LATER, speaking
    from serve_app.ui.words.translated_blocks import Languages

    without_matplotlib()
    token = os.environ.get("TELLTALE_START_TOKEN", "")
    client = Client(api_url)
    standing = Standing(Client(api_url, timeout_s=STATUS_S, tries=1))
    with speaking(LATER):
        blocks = page.build(client, standing, examples, token, mlflow_page(tracking_uri))
        head = theme.head()
    blocks._queue = EventQueue(blocks, MOST_WAITING, AT_ONCE)
    # Only of Blocks that run does Gradio check that files were uploaded, and send drawings as
    # attachments. `launch` says so, and Gradio's own reloader; `mount_gradio_app` does not.
    blocks.has_launched = blocks.is_running = True
    blocks.api_open = False  # no event that has a queue gets round it
    blocks.state_session_capacity = MOST_SESSIONS
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(LinkPreview)
    app.add_middleware(Languages)
    app.add_middleware(Assets)
    app.add_middleware(Guard, uploads=uploads, token=token)
    app.add_route(PATH, standing.told)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=theme.theme(),
        css_paths=theme.style_sheets(),
        head=head,
        footer_links=[],
        run_history=False,  # it would keep clips and keys in the browser
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        show_error=False,
        max_file_size=MAX_UPLOAD_BYTES,
    )
    mounted: Any = app.routes[-1]
    mounted.app.state_holder = Sessions(blocks)
    return app


def mlflow_page(tracking_uri: str) -> str:
    """The address for a browser, without a name and password that are the service's own; "" where
    no server of MLflow keeps the versions."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in {"http", "https"}:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
