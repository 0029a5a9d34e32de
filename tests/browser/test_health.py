"""Health in a real browser: for visitors the service, with a key the model as well."""

import pytest
from playwright.sync_api import Page, expect

from support.fakes.fake_api import ADMIN

pytestmark = pytest.mark.browser


def test_the_service_and_the_model_are_drawn_with_values_to_point_at(page: Page, site: str) -> None:
    page.goto(f"{site}?key={ADMIN}&place=health")
    expect(page.locator("#service")).to_contain_text("2 replicas answer, with version 1")
    expect(page.locator("#service .tt-curve")).to_have_count(3)
    expect(page.locator("#service .tt-mark").first).to_be_attached()  # of a swap
    expect(page.locator("#service title").last).to_contain_text("version 2 2")
    expect(page.locator("#replicas")).to_contain_text("faults#0")
    expect(page.locator("#locust pre")).to_have_text(
        f"locust -f loadtest/locustfile.py --host {site.removesuffix('/ui/')}"
    )
    expect(page.locator("#events")).to_contain_text("clip added")
    expect(page.locator("#insights")).to_contain_text("Weakest is electrical")
    expect(page.locator("#insights")).to_contain_text("95 % sure in the mean and right in 80 %")
    expect(page.locator("#insights")).to_contain_text("best in epoch 3 of 3")
    page.get_by_label("1 hour").check()
    expect(page.locator("#service")).to_contain_text("14,400 clips answered")


def test_a_visitor_sees_the_service_and_why_not_the_rest(page: Page, site: str) -> None:
    page.goto(f"{site}?place=health")
    expect(page.locator("#service .tt-curve")).to_have_count(3)
    expect(page.locator("#insights")).to_contain_text("Enter a key")
    expect(page.locator("#events")).to_be_empty()
