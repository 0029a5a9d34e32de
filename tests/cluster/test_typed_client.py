"""The typed client and the real service mean the same by every answer."""

from collections.abc import Iterator

import pytest

from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.http.auth import LIFE_S
from support.inputs.sounds import tone
from support.service import Service
from support.waiting import wait_for


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, service.admin_key) as client:
        yield client


def test_the_client_reads_what_the_service_says(client: Client) -> None:
    assert {"faults", "keywords"} <= {row.name for row in client.domains()}
    assert client.status().domains["faults"].agree
    answer = client.predict("faults", tone(seconds=5), name="a.wav", evidence=True)
    assert answer.label in answer.probabilities
    assert answer.evidence is not None
    assert client.models("faults")


def test_the_curator_tells_the_last_minutes_of_traffic(client: Client) -> None:
    client.predict("faults", tone(seconds=5), name="a.wav")

    def told() -> bool:
        points = client.history("faults").points
        return any(point.p50_ms and point.replicas and point.versions for point in points)

    wait_for(told)


def test_a_key_is_known_and_refused_where_the_replicas_are(client: Client) -> None:
    other = client.with_key(client.accounts.add("a-test", "viewer", days=1).key)
    assert (other.me().name, other.me().role) == ("a-test", "viewer")
    client.accounts.revoke("a-test")

    def refused() -> bool:
        try:
            return not other.me()
        except ServiceError as error:
            return error.status == 401

    wait_for(refused, patience_s=LIFE_S + 2)


def test_the_client_follows_a_correction_to_the_end(client: Client) -> None:
    receipt = client.correct("keywords", tone(hz=900, seed=31), "four", name="a.wav")
    run = client.retrain("keywords", "teach", "a test of the client")
    kinds = [event.kind for event in client.follow("keywords", run.id)]
    assert kinds[-1] == "finished"
    assert client.run("keywords", run.id).state == "succeeded"
    assert client.receipt("keywords", receipt.receipt).state == "accepted"
