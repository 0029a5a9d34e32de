"""Which domain is meant, whatever the page still knows."""

from types import SimpleNamespace
from typing import Any

import pytest

from data.errors import UnknownName
from serve_app.ui.shared import Shared

HEARD: Any = tuple(SimpleNamespace(name=name) for name in ("faults", "hearts"))


class Service:
    asked = 0

    def domains(self) -> Any:
        self.asked += 1
        return HEARD


def page(client: Any) -> Shared:
    return Shared(client, None, None, None, standing=Any, signals=None)  # type: ignore[arg-type]


def test_after_an_expired_session_the_service_is_asked_again_which_domains_there_are() -> None:
    service = Service()
    assert page(service).domain_of((), "hearts") is HEARD[1]
    assert page(service).domain_of(HEARD, "hearts") is HEARD[1]
    assert service.asked == 1


def test_without_a_name_the_first_is_meant_and_an_unknown_one_is_refused_with_the_known() -> None:
    assert page(Service()).domain_of((), None) is HEARD[0]
    with pytest.raises(UnknownName, match="no domain 'birds'; the domains are faults, hearts"):
        page(Service()).domain_of((), "birds")
