"""wording.py: what a person is told of a failure, and when the page asks again."""

import httpx
import pytest

from serve_app.client.connection import ServiceAway, ServiceError, checked
from serve_app.ui.wording import again_in_s, with_again, words


def refused(status: int, **answered: object) -> ServiceError:
    with pytest.raises(ServiceError) as refusal:
        checked(httpx.Response(status, **answered))  # type: ignore[arg-type]
    return refusal.value


def test_an_overload_says_when_the_page_asks_again() -> None:
    error = refused(429, headers={"Retry-After": "3"}, json={"detail": "too many clips wait"})
    assert with_again(error) == "The service is busy: asking again in 3 s."
    assert again_in_s(error) == 3


def test_a_proxy_that_has_no_words_is_given_some() -> None:
    error = refused(503, text="<html>")
    said = "The service cannot answer right now (HTTP 503). This page asks again by itself."
    assert with_again(error) == said
    assert again_in_s(error)


def test_a_service_that_is_away_is_asked_again() -> None:
    said = with_again(ServiceAway("http://127.0.0.1:8000 does not answer"))
    assert said == "The service does not answer right now. This page asks again by itself."


def test_a_clip_that_is_refused_is_not_sent_again() -> None:
    error = refused(415, json={"detail": "the clip is a PDF document"})
    assert with_again(error) == "The clip is a PDF document."
    assert again_in_s(error) is None


def test_nobody_who_reads_a_page_is_told_of_headers() -> None:
    detail = "this needs a key with the role admin: send it as 'Authorization: Bearer <key>'"
    said = words(refused(401, json={"detail": detail}))
    assert said.startswith("This needs a key with the role admin. Enter a key")
