"""What is asked of the service itself, and of a domain as it serves."""

from ..account_answers import Me
from ..answers import DomainInfo, Domains
from ..call import Call, get, one, part
from ..insight_answers import Insights
from ..past_answers import History, Window
from ..service_answers import Health, ModelInfo, Ready, Series, Status


def me() -> Call[Me]:
    """Whose key this is, and what it may."""
    return get("/me", one(Me))


def domains() -> Call[tuple[DomainInfo, ...]]:
    return get("/domains", part(Domains, lambda found: found.domains))


def status() -> Call[Status]:
    return get("/status", one(Status))


def health() -> Call[Health]:
    """Of whichever replica answers."""
    return get("/health", one(Health))


def ready() -> Call[Ready]:
    """Raises ServiceError (503), saying what is missing, until every domain has a warm replica."""
    return Call("GET", "/ready", one(Ready))  # not repeated: 503 is an answer here


def metrics() -> Call[Series]:
    """What Prometheus reads from the same address."""
    headers = {"Accept": "application/json"}
    return Call("GET", "/metrics", one(Series), headers=headers, idempotent=True)


def model_info(domain: str) -> Call[ModelInfo]:
    """The card of the version that serves."""
    return get(f"/{domain}/model-info", one(ModelInfo))


def insights(domain: str) -> Call[Insights]:
    return get(f"/{domain}/insights", one(Insights))


def history(domain: str, window: Window = "5m") -> Call[History]:
    return get(f"/{domain}/history", one(History), window=window)
