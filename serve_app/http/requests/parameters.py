"""Which parameters an address may have: one that is not known is refused by name.

Ignored, a typing error would change the answer without a word. Routes that other people's programs
ask (health, metrics, protocols) leave alone what those add.
"""

from collections.abc import Iterable, Sequence
from reprlib import repr as shortened
from typing import Any

from fastapi import Depends, Request

from data.errors import InvalidParameter
from serve_app.http.openapi import refusal


async def must_be_known(request: Request) -> None:
    if request.query_params:
        refuse_others(request.query_params, _declared(request.scope["route"]))


# Of a router: its routes take what they declare, and say in OpenAPI that they refuse the rest.
ONLY_KNOWN_PARAMETERS: dict[str, Any] = {
    "dependencies": [Depends(must_be_known)],
    "responses": {400: refusal(400)},
}


def refuse_others(names: Iterable[str], known: Sequence[str]) -> None:
    """Raises InvalidParameter."""
    for name in names:
        if name not in known:
            taken = f"there are {', '.join(known)}" if known else "none is taken here"
            raise InvalidParameter(f"there is no parameter {shortened(name)}; {taken}")


def _declared(route: Any) -> list[str]:
    """By the route's signature, and by what OpenAPI is told beside it."""
    told = (route.openapi_extra or {}).get("parameters", ())
    return [
        *(field.alias for field in route.dependant.query_params),
        *(each["name"] for each in told if each["in"] == "query"),
    ]
