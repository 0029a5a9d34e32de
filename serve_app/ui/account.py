"""Which role somebody has here, in a sentence that says what that allows."""

from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note, text

NOBODY = "No key: you may try clips; your corrections wait until an admin accepts them."
ALLOWS = {
    "anonymous": NOBODY,
    "viewer": "you may try clips; your corrections wait until an admin accepts them.",
    "contributor": "your corrections count at once.",
    "admin": "your corrections count at once, and you may review and retrain.",
}


def who(client: Client) -> str:
    """Nothing where the service does not say, an older one or one that is away."""
    if not client.key:
        return f'<p class="tt-small">{NOBODY}</p>'
    try:
        me = client.me()
    except ServiceError as error:
        unknown = "This key is not known here. Clips are answered without it."
        return note(unknown, "bad") if error.status == 401 else ""
    allows = ALLOWS.get(me.role, "")
    return f'<p class="tt-small"><b>{text(me.name)}</b>, {text(me.role)}: {text(allows)}</p>'
