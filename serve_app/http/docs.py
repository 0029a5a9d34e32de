"""The API page at /docs: Swagger UI, which shares an origin with the page that holds the key.

So it loads one script and one style, of a pinned version and with their digests, and its policy
forbids all else: other scripts, other origins, frames. A new version: `npm pack
swagger-ui-dist@VERSION`, then `openssl dgst -sha384 -binary FILE | base64` of the two files.
"""

import base64
import hashlib
import html

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

SWAGGER = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.35.0"
SCRIPT = f"{SWAGGER}/swagger-ui-bundle.js"
SCRIPT_DIGEST = "sha384-gjRm0bEPMeTmMh5jT2cHccIwCUZSTd8YC+j0d0sXw0MdGEfScduGpSyF3ZSSLkX9"
STYLE = f"{SWAGGER}/swagger-ui.css"
STYLE_DIGEST = "sha384-WlYgdmXYOOBWL5apwjDEZwN+U3HmXSSu5R6V5aGxEcf7z+KuRNwBhoxKVN1i3D5I"
START = """
SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis]});
"""
START_DIGEST = "sha256-" + base64.b64encode(hashlib.sha256(START.encode()).digest()).decode()
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {SCRIPT} '{START_DIGEST}'",
        f"style-src {STYLE} 'unsafe-inline'",  # Swagger UI writes style attributes
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}" integrity="{style_digest}" crossorigin="anonymous">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{script}" integrity="{script_digest}" crossorigin="anonymous"></script>
<script>{start}</script>
</body>
</html>
"""


async def docs(request: Request) -> Response:
    page = PAGE.format(
        title=html.escape(request.app.title),
        style=STYLE,
        style_digest=STYLE_DIGEST,
        script=SCRIPT,
        script_digest=SCRIPT_DIGEST,
        start=START,
    )
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(page, headers=headers | {"Referrer-Policy": "no-referrer"})
