"""Asks for an answer as the page does: a key that nobody knows keeps nobody from trying a clip."""

from serve_app.client.answers import Prediction
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note

WITHOUT_KEY = (
    "The key that was entered is not known here, so this was answered without one. "
    "Enter another under “Key”, or empty the field."
)


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
