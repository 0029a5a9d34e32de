"""Who somebody is here, by his key: which places he sees, and a sentence of what he may do. A key
that nobody knows keeps nobody from trying a clip."""

from dataclasses import dataclass

from serve_app.client.answers import Prediction
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note, text

WAITS = "you may try clips; your corrections wait until an admin accepts them."
ALLOWS = {
    "anonymous": WAITS,
    "viewer": WAITS,
    "contributor": "your corrections count at once.",
    "admin": "your corrections count at once, and you may review and retrain.",
}

WITHOUT_KEY = (
    "The key that was entered is not known here, so this was answered without one. "
    "Enter another under “Key”, or empty the field."
)


@dataclass(frozen=True)
class Account:
    role: str
    chip: str  # for the button that opens the account
    said: str  # HTML


ANONYMOUS = Account(
    "anonymous", "Visitor · key, limits", f'<p class="tt-small">No key: {WAITS}</p>'
)


AWAY = Account(
    "anonymous",
    "Key not read yet",
    note("Whose key this is cannot be asked right now. This page asks again by itself.", "warn"),
)


def who(client: Client) -> Account:
    """AWAY where the service does not say, as while it starts."""
    if not client.key:
        return ANONYMOUS
    try:
        me = client.me()
    except ServiceError as error:
        if error.status != 401:
            return AWAY
        unknown = "This key is not known here. Clips are answered without it."
        return Account("anonymous", "Key not known", note(unknown, "bad"))
    allows = ALLOWS.get(me.role, "")
    said = f'<p class="tt-small"><b>{text(me.name)}</b>, {text(me.role)}: {text(allows)}</p>'
    chip = me.role if me.name == me.role else f"{me.name} · {me.role}"
    return Account(me.role, chip, said)


def known(client: Client) -> Client:
    """Him, or nobody in particular where his key is not known: one that was mistyped is no reason
    to refuse what needs none."""
    if client.key:
        try:
            client.me()
        except ServiceError as error:
            if error.status == 401:
                return client.without_key()
    return client


def ask(caller: Client, domain: str, raw: bytes, name: str) -> tuple[Prediction, str]:
    """The answer with its evidence, and a note (HTML) where the caller's key is not known; raises
    ServiceError."""
    try:
        return caller.predict(domain, raw, name=name, evidence=True), ""
    except ServiceError as error:
        if error.status != 401 or not caller.key:
            raise
    found = caller.without_key().predict(domain, raw, name=name, evidence=True)
    return found, note(WITHOUT_KEY, "warn")
