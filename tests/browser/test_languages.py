"""The page in another language than English: the browser's, or the one that is chosen."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from support.fakes.fake_api import ADMIN
from support.pages import SIDEWAYS, choose_domain, give, open_page


def test_a_browser_in_french_reads_the_page_in_french_on_a_phone(
    browser: Browser, site: str, clip: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "wall.wav"
    picture.write_bytes(b"\x89PNG and nothing more")
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="fr-CH")
    page = context.new_page()
    page.goto(site)
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("tab")).to_have_text(["Demander", "État"])
    expect(page.get_by_role("radio", name="Pannes de machines")).to_be_checked()
    expect(page.locator("#serving")).to_contain_text("en service depuis")
    give(page, clip)
    card = page.locator("#answer")
    expect(card).to_contain_text(re.compile(r"Sûr\s:\s\d+ %"))
    expect(card.get_by_label("Ce que cela pourrait être d’autre")).to_be_visible()
    expect(page.locator("#figure")).to_contain_text("combien chaque instant plaide pour")
    expect(page.locator("#figure")).to_contain_text("0,5")
    expect(page.locator("#history")).to_contain_text("Demandé depuis l’ouverture")
    page.get_by_role("button", name="C’est juste").click()
    expect(page.locator("#outcome")).to_contain_text("Merci. Elle attend que quelqu’un")
    give(page, picture)
    expect(card).to_contain_text("Ce type de fichier n’est pas accepté")
    assert page.evaluate(SIDEWAYS) <= 0
    context.close()


def test_another_language_is_chosen_in_the_header_and_leaves_domain_place_and_key(
    page: Page, site: str
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    choose_domain(page, "Spoken digits", "Which digit was spoken?")
    page.get_by_role("tab", name="Models").click()
    page.locator("#chip button").click()
    page.get_by_role("link", name="Español").click()
    expect(page).to_have_url(re.compile(r"domain=keywords&place=models&lang=es"))
    expect(page.get_by_role("radio", name="Cifras habladas")).to_be_checked()
    expect(page.get_by_role("tab", name="Modelos")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#chip")).to_contain_text("anna · administrador")
    expect(page.locator("#models")).to_contain_text("está en servicio desde")
    expect(page.locator("#version time")).to_have_text(re.compile("hace|ahora mismo"))
    page.locator("#chip button").click()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("tab", name="Models")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("radio", name="Spoken digits")).to_be_checked()
