"""Health in a real browser: for visitors the service, with a key the model as well."""

import re

import pytest
from playwright.sync_api import Page, expect

from serve_app.client.client import Client
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_clips import keep
from support.fakes.fake_world import World
from support.inputs.sounds import tone
from support.local_server import Server

pytestmark = pytest.mark.browser


def test_the_service_and_the_model_are_drawn_with_values_to_point_at(
    page: Page, site: str, world: World
) -> None:
    with Server(create(world)) as api, Client(api, key=ADMIN) as client:
        client.correct("faults", tone(65), "fluid")
        client.without_key().correct("faults", tone(66), "fluid")
    page.goto(f"{site}?key={ADMIN}&place=health")
    expect(page.locator("#service")).to_contain_text("2 replicas answer, with version 1")
    expect(page.locator("#service .tt-curve")).to_have_count(3)
    expect(page.locator("#service .tt-mark").first).to_be_attached()  # of a swap
    ends = page.locator("#service .tt-epochs").first
    expect(ends).to_contain_text(re.compile(r"\d\d:\d\d"))
    expect(ends).not_to_contain_text("UTC")  # but by the reader's own clock
    expect(page.locator("#service title").last).to_contain_text(
        re.compile(r"^\d+:\d\d:\d\d.*: version 1 0, version 2 2$")
    )
    expect(page.locator("#replicas")).to_contain_text("faults#0")
    expect(page.locator("#locust pre")).to_have_text(
        f"locust -f loadtest/locustfile.py --host {site.removesuffix('/ui/')}"
    )
    expect(page.locator("#events")).to_contain_text("clip added")
    expect(page.locator("#insights")).to_contain_text("Weakest is electrical")
    expect(page.locator("#insights")).to_contain_text("had not learnt it: macro-F1 0.82")
    expect(page.locator("#insights")).to_contain_text("95 % sure in the mean and right in 80 %")
    expect(page.locator("#insights")).to_contain_text("best in epoch 3 of 3")
    expect(page.locator("#insights")).to_contain_text("Most often")
    expect(page.locator("#insights .tt-scope .tt-lane")).to_have_count(8)  # log-mel and MFCCs
    expect(page.locator("#insights .tt-sideways")).to_have_count(
        2
    )  # the exam, and what is mistaken
    expect(page.locator("#corrections")).to_contain_text("fluid1 quarantined, 1 accepted")
    page.get_by_role("button", name="Copy").click()
    assert "locust -f" in str(page.evaluate("getSelection().toString()"))
    page.get_by_label("1 hour").check()
    expect(page.locator("#service")).to_contain_text("14,400 clips answered")


def test_a_kept_clip_of_each_label_is_heard_and_seen(page: Page, site: str, world: World) -> None:
    keep(world, "keywords", "two", state="accepted", raw=tone(400))
    keep(world, "keywords", "two", state="rejected", raw=tone(500))
    page.goto(f"{site}?key={ADMIN}&place=health&domain=keywords")
    samples = page.locator("#samples")
    expect(samples).to_contain_text(re.compile("Half of its power lies below (399|400|401) Hz"))
    expect(samples.locator(".tt-cepstrum img")).to_be_visible()
    expect(samples.locator("audio")).to_have_count(1)
    expect(samples.get_by_role("button", name="two")).to_have_attribute("aria-pressed", "true")
    samples.get_by_role("button", name="zero").click()
    expect(samples).to_contain_text("No clip of zero is kept yet")
    page.get_by_role("tab", name="Ask").click()
    page.get_by_role("tab", name="Health").click()
    expect(samples.get_by_role("button", name="zero")).to_have_attribute("aria-pressed", "true")


def test_a_visitor_sees_the_service_and_why_not_the_rest(page: Page, site: str) -> None:
    page.goto(f"{site}?place=health")
    expect(page.locator("#service .tt-curve")).to_have_count(3)
    expect(page.locator("#insights")).to_contain_text("Enter a key")
    for part in ("#events", "#samples"):
        expect(page.locator(part)).to_be_empty()


def test_what_could_not_be_looked_up_is_said(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "log_is_away", True)
    page.goto(f"{site}?key={ADMIN}&place=health")
    for part in ("#events", "#corrections"):
        expect(page.locator(part)).to_contain_text("The audit log cannot be read")
    expect(page.locator("#insights")).to_contain_text("Weakest is electrical")
