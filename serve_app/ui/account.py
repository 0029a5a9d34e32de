"""Who somebody is here, by his key: which places he sees, and a sentence of what he may do. A key
that nobody knows keeps nobody from trying a clip."""

from dataclasses import dataclass

from serve_app.client.account_answers import Me
from serve_app.client.answers import Prediction
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note, text
from serve_app.ui.words.translate import mark, plural, t

WAITS = mark("you may try clips; your corrections wait until an admin accepts them.")
ALLOWS = {
    "anonymous": WAITS,
    "viewer": WAITS,
    "contributor": mark("your corrections count at once."),
    "admin": mark("your corrections count at once, and you may review and retrain."),
}
ROLES = (mark("viewer"), mark("contributor"), mark("admin"))
WITHOUT_KEY = mark(
    "Answered without your key, which is not known here: change or empty it under “Key”."
)


@dataclass(frozen=True)
class Account:
    role: str
    chip: str  # for the button that opens the account
    said: str  # HTML
    is_sure: bool = True  # the service has said it


def visitor() -> Account:
    said = f'<p class="tt-small">{t("No key:")} {t(WAITS)}</p>'
    return Account("anonymous", t("Visitor · key, limits"), said)


def who(client: Client) -> Account:
    """Not sure where the service does not say, as while it starts."""
    if not client.key:
        return visitor()
    try:
        me = client.me()
    except ServiceError as error:
        if error.status != 401:
            away = t("Whose key this is cannot be asked right now. This page asks again by itself.")
            return Account("anonymous", t("Key not read yet"), note(away, "warn"), is_sure=False)
        unknown = t("This key is not known here. Clips are answered without it.")
        return Account("anonymous", t("Key not known"), note(unknown, "bad"))
    allows, role = ALLOWS.get(me.role, ""), t(me.role)
    may = f"{text(t(allows))}{_quota(me)}"
    said = f'<p class="tt-small"><b>{text(me.name)}</b>, {text(role)}: {may}</p>'
    chip = role if me.name == me.role else f"{me.name} · {role}"
    return Account(me.role, chip, said)


def _quota(me: Me) -> str:
    if me.requests_per_minute is None:
        return ""
    said = plural(
        "{count:,} request with clips a minute is answered.",
        "{count:,} requests with clips a minute are answered.",
        me.requests_per_minute,
    )
    return f" {said}"


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
    return found, note(t(WITHOUT_KEY), "warn")
