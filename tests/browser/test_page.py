"""The page in a real browser, against a service that keeps the contract."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from serve_app.client.client import Client
from serve_app.ui.app import build_page
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_clips import keep
from support.fakes.fake_world import World
from support.inputs.pictures import cracked
from support.local_server import Server, below_ui

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A microphone for the test that records: Chromium's own beeps.
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]

LASTS = """player => new Promise(done => {
  if (player.readyState) done(player.duration);
  else {
    player.onloadedmetadata = () => done(player.duration);
    player.onerror = () => done(-1);
  }
})"""

expect.set_options(timeout=15_000)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason=f"no browser at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def world() -> World:
    return World(step_s=0.1)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all pages of this process: Gradio finds it by the environment."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def site(world: World, uploads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page below /ui, as the proxy serves it. Yields its address."""
    example = tmp_path_factory.mktemp("examples") / "faults" / "hum.wav"
    example.parent.mkdir()
    tone(example, 60)
    with (
        Server(create(world)) as api,
        Server(below_ui(build_page(api, uploads, example.parents[1]))) as at,
    ):
        yield f"{at}/ui/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return tone(tmp_path / "pump.wav", 65)


def tone(path: Path, frequency_hz: float) -> Path:
    time_s = np.arange(16_000 * 2) / 16_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * frequency_hz * time_s), 16_000)
    return path


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_label("Domain")).to_have_value("Machine faults")


def upload(page: Page, clip: Path) -> None:
    page.set_input_files("#clip input[type=file]", str(clip))
    expect(page.locator("#answer .tt-label")).to_be_visible()
    expect(page.locator("#figure .tt-scope")).to_be_visible()  # the last of the answer to arrive


def correct(page: Page, label: str) -> None:
    page.get_by_label("That's wrong: it is …").click()
    page.get_by_role("option", name=label, exact=True).click()
    page.click("#send")


def test_an_uploaded_clip_is_answered_with_evidence_and_nothing_leaves_for_elsewhere(
    page: Page, site: str, clip: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, site)
    upload(page, clip)
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")
    expect(page.get_by_text("A hint for a technician")).to_be_visible()
    expect(page.locator("#figure .tt-spectrum polyline").first).to_be_attached()
    hosts = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlsplit(site).netloc}


def test_a_recording_from_the_microphone_is_answered_when_it_ends(page: Page, site: str) -> None:
    open_page(page, site)
    page.get_by_label("Record audio").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#answer .tt-label")).to_be_visible()


def test_an_example_is_answered_at_a_click(page: Page, site: str) -> None:
    open_page(page, site)
    page.get_by_role("button", name="hum").click()
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")


def test_touching_the_list_of_domains_keeps_the_answer_and_choosing_another_empties_it(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    upload(page, clip)
    page.get_by_label("Domain").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.wait_for_timeout(1000)
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Spoken digits").click()
    expect(page.locator("#answer .tt-label")).to_have_count(0)


def test_a_recording_that_is_declared_as_video_is_answered(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    declared = FilePayload(name="pump.webm", mimeType="video/webm", buffer=clip.read_bytes())
    page.set_input_files("#clip input[type=file]", files=[declared])
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")


def test_a_page_that_is_loaded_again_opens_the_domain_and_the_tab_that_were_open(
    page: Page, site: str
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Spoken digits").click()
    page.get_by_role("tab", name="Retrain").click()
    for kept in ("domain=keywords", "place=retrain"):
        expect(page).to_have_url(re.compile(kept))
    page.reload()
    expect(page.get_by_label("Domain")).to_have_value("Spoken digits")
    expect(page.locator("#replicas")).to_contain_text("keywords#0")
    expect(page.locator("#account")).to_contain_text("anna, admin")


def test_a_wrong_key_is_said_when_its_field_is_left_and_clips_are_answered_all_the_same(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    expect(page.locator("#account")).to_contain_text("No key")
    page.get_by_text("Key (not needed").click()
    page.locator("#key input").fill("wrong")
    page.keyboard.press("Tab")
    expect(page.locator("#account")).to_contain_text("not known here")
    upload(page, clip)
    expect(page.locator("#answer")).to_contain_text("answered without one")


def test_a_clip_that_found_the_service_busy_or_away_is_answered_by_itself(
    page: Page, site: str, clip: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(page, site)
    monkeypatch.setattr(world, "busy", 1)
    monkeypatch.setattr(world, "hiccups", 4)  # as often as the client tries
    page.set_input_files("#clip input[type=file]", str(clip))
    expect(page.locator("#answer")).to_contain_text("The service is busy: asking again in 1 s.")
    expect(page.locator("#answer")).to_contain_text("This page asks again by itself.")
    expect(page.locator("#answer .tt-label")).to_have_text("electrical")


def test_another_domain_answers_with_its_own_labels(page: Page, site: str, clip: Path) -> None:
    open_page(page, site)
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Spoken digits").click()
    expect(page.get_by_text("Which digit was spoken?")).to_be_visible()
    upload(page, clip)
    expect(page.locator("#answer .tt-label")).to_have_text("zero")


def open_cracks(page: Page, address: str, tmp_path: Path, crack: bool = True) -> Path:
    """A photograph on the page of its domain; returns a mask for it."""
    photograph, mask = tmp_path / "wall.png", tmp_path / "mask.png"
    for path, raw in zip((photograph, mask), cracked(1, crack=crack), strict=True):
        path.write_bytes(raw)
    open_page(page, address)
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Cracks").click()
    expect(page.locator("#clip")).to_be_hidden()
    page.set_input_files("#photo input[type=file]", str(photograph))
    return mask


def test_a_photograph_is_answered_with_its_mask_laid_over_it(
    page: Page, site: str, tmp_path: Path
) -> None:
    open_cracks(page, site, tmp_path)
    expect(page.locator("#answer .tt-label")).to_have_text("crack")
    expect(page.locator("#answer")).to_contain_text("96 px long")
    expect(page.locator("#answer")).to_contain_text("96 × 96 px PNG")
    photograph, mask = (page.locator(f"#figure .{css}") for css in ("tt-photo", "tt-mask"))
    expect(photograph).to_be_visible()
    assert photograph.bounding_box() == mask.bounding_box()


def test_a_photograph_is_corrected_by_saying_that_there_is_nothing(
    page: Page, site: str, tmp_path: Path
) -> None:
    open_cracks(page, f"{site}?key={ADMIN}", tmp_path)
    expect(page.locator("#figure .tt-mask")).to_be_visible()
    page.get_by_label("That's wrong: there is …").click()
    page.get_by_role("option", name="no crack", exact=True).click()
    page.click("#send")
    expect(page.get_by_text("crack → no crack")).to_be_visible()


def test_a_photograph_is_corrected_by_a_mask(page: Page, site: str, tmp_path: Path) -> None:
    mask = open_cracks(page, f"{site}?key={ADMIN}", tmp_path, crack=False)
    expect(page.locator("#answer .tt-label")).to_have_text("no crack")
    expect(page.locator("#figure .tt-photo")).to_be_visible()
    page.set_input_files("#mask input[type=file]", str(mask))
    expect(page.locator("#mask")).to_contain_text("mask")
    page.wait_for_timeout(500)
    page.click("#send")
    expect(page.get_by_text("no crack → crack")).to_be_visible()


def test_silence_is_called_unknown(page: Page, site: str, tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(16_000), 16_000)
    open_page(page, site)
    upload(page, silence)
    expect(page.locator("#answer .tt-label")).to_have_text("Unknown")


def test_a_file_that_is_no_recording_is_refused_in_the_services_words(
    page: Page, site: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "notes.wav"
    wrong.write_text("no sound at all")
    open_page(page, site)
    page.set_input_files("#clip input[type=file]", str(wrong))
    expect(page.locator("#answer")).to_contain_text("This is not a recording")
    expect(page.locator("#send")).to_be_hidden()


def test_a_correction_gives_a_receipt_and_its_life_line_shows_what_was_learnt(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    assert "key=" not in page.url
    upload(page, clip)
    correct(page, "fluid")
    expect(page.get_by_text("The next retrain learns from it.")).to_be_visible()
    page.get_by_role("tab", name="Retrain").click()
    page.click("#start")
    expect(page.locator("#run .tt-verdict")).to_contain_text("Promoted")
    page.get_by_role("tab", name="Predict").click()
    page.get_by_text("Check a receipt").click()
    page.click("#check")
    expect(page.locator("#life")).to_contain_text("Learnt in version")
    expect(page.locator("#life")).to_contain_text("fluid")


def test_without_a_key_a_correction_waits_and_a_retrain_is_refused(
    page: Page, site: str, clip: Path
) -> None:
    open_page(page, site)
    upload(page, clip)
    correct(page, "mechanical")
    expect(page.get_by_text("It waits until somebody with a key accepts it.")).to_be_visible()
    page.get_by_role("tab", name="Retrain").click()
    page.click("#start")
    expect(page.locator("#told")).to_contain_text("role admin")
    page.wait_for_timeout(1500)
    expect(page.locator("#told")).to_contain_text("role admin")


def test_a_retrain_shows_its_steps_curves_and_verdict_and_can_be_rolled_back(
    page: Page, site: str, world: World
) -> None:
    world.step_s = 0.4  # long enough to be seen
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Retrain").click()
    expect(page.locator("#replicas")).to_contain_text("All 2 replicas serve version")
    before = world.champion("faults")["version"]
    page.get_by_text("Full: train").click()
    page.click("#start")
    expect(page.locator("#run .tt-busy")).to_be_visible()
    expect(page.locator("#cancel")).to_be_visible()
    expect(page.locator("#run .tt-curve").first).to_be_visible()
    expect(page.locator("#run .tt-verdict")).to_contain_text("Promoted")
    expect(page.locator("#cancel")).to_be_hidden()
    page.get_by_role("button", name=f"Go back to version {before}").click()
    expect(page.locator("#going-back")).to_contain_text(f"Version {before} will answer")
    assert world.champion("faults")["version"] != before
    page.click("#sure")
    expect(page.locator("#said")).to_contain_text(f"Version {before} serves on every replica")
    expect(page.locator("#versions tr", has_text="champion")).to_contain_text(before)


def test_a_refused_challenger_is_explained(page: Page, site: str) -> None:
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Retrain").click()
    page.get_by_label("Reason").fill("make it worse")
    page.click("#start")
    expect(page.locator("#run .tt-verdict")).to_contain_text("Refused")
    expect(page.locator("#run .tt-verdict")).to_contain_text("macro-F1 fell")


def test_a_run_is_found_again_after_a_reload_and_can_be_cancelled(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "step_s", 2.0)
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Retrain").click()
    page.get_by_text("Full: train").click()
    page.click("#start")
    expect(page.locator("#run .tt-busy")).to_be_visible()
    page.reload()
    page.get_by_role("tab", name="Retrain").click()
    expect(page.locator("#run .tt-busy")).to_be_visible()
    page.click("#cancel")
    expect(page.locator("#run")).to_contain_text("cancelled")


def choose_which(page: Page, which: str) -> None:
    page.get_by_label(which, exact=True).check()


def choose_kept(page: Page, clip: str) -> None:
    page.locator("#kept input").click()
    page.get_by_role("option", name=clip[:8]).click()
    expect(page.locator("#shown")).to_contain_text(clip[:8])


def accept_as(page: Page, label: str) -> None:
    page.locator("#its-label input").click()
    page.get_by_role("option", name=label, exact=True).click()
    page.click("#accept")


def test_a_run_that_began_elsewhere_is_seen_and_is_why_another_one_is_refused(
    page: Page, site: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "step_s", 4.0)
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Retrain").click()
    expect(page.locator("#replicas")).to_contain_text("serve version")
    with Server(create(world)) as api, Client(api, key=ADMIN) as elsewhere:
        run = elsewhere.retrain("faults", "teach", "by a colleague")
        expect(page.locator("#run .tt-busy")).to_be_visible()
        expect(page.locator("#run")).to_contain_text("by a colleague")
        page.click("#start")
        expect(page.locator("#told")).to_contain_text("under way")
        expect(page.locator("#run .tt-busy")).to_be_visible()
        elsewhere.cancel("faults", run.id)
    expect(page.locator("#run")).to_contain_text("cancelled")


def test_a_flagged_clip_is_shown_with_its_doubt_heard_and_given_the_right_label(
    page: Page, site: str, world: World
) -> None:
    clip = keep(world, "faults", "normal", state="accepted", flagged=True)
    keep(world, "faults", "mechanical", state="accepted")
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Review").click()
    expect(page.locator("#queue")).to_contain_text("No clip waits for a decision")
    page.get_by_label("Flagged by a check").check()
    expect(page.locator("#queue")).to_contain_text("label in doubt it sounds more like fluid")
    expect(page.locator("#queue tbody tr")).to_have_count(1)
    assert page.locator("#shown audio").evaluate(LASTS) == pytest.approx(0.5)
    expect(page.locator("#views")).to_contain_text("Sent as normal")
    expect(page.locator("#views")).to_contain_text("The model, version")
    expect(page.locator("#shown .tt-spectrum polyline").first).to_be_attached()  # its evidence
    accept_as(page, "fluid")
    expect(page.locator("#decided")).to_contain_text("counts as fluid")
    expect(page.locator("#queue")).to_contain_text("No check has anything to say")
    assert (world.clips[clip]["row"]["label"], world.clips[clip]["row"]["flags"]) == ("fluid", [])


def test_what_is_heard_and_what_it_is_called_are_of_the_clip_that_is_chosen(
    page: Page, site: str, world: World
) -> None:
    slow = keep(world, "keywords", "one", state="accepted")
    quick = keep(world, "keywords", "two", state="accepted")
    last = keep(world, "keywords", "three", state="accepted")
    world.content_s[slow] = 1.5
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Spoken digits").click()
    page.get_by_role("tab", name="Review").click()
    page.get_by_label("Accepted", exact=True).check()
    expect(page.locator("#kept input")).to_have_value(f"{slow[:8]}, one")
    page.locator("#kept input").click()
    page.get_by_role("option", name=quick[:8]).click()  # while the first is on its way
    expect(page.locator("#shown")).to_contain_text(quick[:8])
    page.wait_for_timeout(1500)
    expect(page.locator("#shown")).to_contain_text(quick[:8])
    for clip in (slow, quick):
        world.clips.pop(clip)
    page.click("#reject")
    expect(page.locator("#views")).to_contain_text("Sent as three")
    expect(page.locator("#shown")).to_contain_text(last[:8])


def test_a_clip_that_waits_can_be_rejected_with_a_reason_of_its_own_and_that_be_undone(
    page: Page, site: str, world: World
) -> None:
    keep(world, "faults", "normal", state="quarantined")
    clip = keep(world, "faults", "fluid", state="quarantined")
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Review").click()
    expect(page.locator("#queue")).to_contain_text(clip[:8])
    expect(page.locator("#its-label input")).to_have_value("")
    page.click("#accept")
    expect(page.locator("#decided")).to_contain_text("Say what it is first")
    choose_kept(page, clip)
    page.get_by_label("Or why not").fill("that is a dog")
    page.click("#reject")
    expect(page.locator("#decided")).to_contain_text("will not be learnt from")
    expect(page.get_by_label("Or why not")).to_have_value("")
    row = world.clips[clip]["row"]
    assert (row["state"], row["reason"]) == ("rejected", "that is a dog")
    choose_which(page, "Rejected")
    expect(page.locator("#queue")).to_contain_text(clip[:8])
    page.click("#undo")
    expect(page.locator("#decided")).to_contain_text("is quarantined as fluid again")
    expect(page.locator("#queue")).to_contain_text("No clip was rejected")
    expect(page.locator("#undo")).to_be_hidden()
    choose_which(page, "Waiting for a decision")
    choose_kept(page, clip)
    accept_as(page, "mechanical")  # two steps: another label, and its acceptance
    expect(page.locator("#decided")).to_contain_text("counts as mechanical")
    page.click("#undo")
    expect(page.locator("#decided")).to_contain_text("is quarantined as fluid again")


def test_a_kept_photograph_is_seen_with_the_mask_that_was_drawn_on_it(
    page: Page, site: str, world: World
) -> None:
    photograph, mask = cracked(2)
    clip = keep(world, "cracks", "crack", state="quarantined", raw=photograph, mask=mask)
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Cracks").click()
    page.get_by_role("tab", name="Review").click()
    seen, drawn = (page.locator(f"#shown .{css}").first for css in ("tt-photo", "tt-mask"))
    expect(drawn).to_be_visible()
    assert seen.bounding_box() == drawn.bounding_box()
    accept_as(page, "crack")
    expect(page.locator("#decided")).to_contain_text("counts as crack")
    assert world.clips[clip]["row"]["state"] == "accepted"


def test_a_correction_of_an_accepted_clip_waits_where_it_is_seen(
    page: Page, site: str, world: World
) -> None:
    clip = keep(world, "faults", "normal", state="accepted", waiting=("fluid", None))
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_role("tab", name="Review").click()
    row = page.locator("#queue tbody tr", has_text=clip[:8])
    expect(row).to_contain_text("correction waits fluid")
    choose_kept(page, clip)
    expect(page.locator("#shown")).to_contain_text("A correction waits: fluid")
    accept_as(page, "fluid")
    expect(page.locator("#decided")).to_contain_text("counts as fluid")
    expect(row).to_have_count(0)


def test_another_mask_of_a_photograph_is_seen_and_can_be_taken(
    page: Page, site: str, world: World
) -> None:
    photograph, mask = cracked(3)
    other = cracked(4)[1]
    clip = keep(
        world,
        "cracks",
        "crack",
        state="accepted",
        raw=photograph,
        mask=mask,
        waiting=("crack", other),
    )
    before = world.clips[clip]["row"]["mask"]
    open_page(page, f"{site}?key={ADMIN}")
    page.get_by_label("Domain").click()
    page.get_by_role("option", name="Cracks").click()
    page.get_by_role("tab", name="Review").click()
    expect(page.locator("#shown .tt-mask")).to_have_count(3)  # its own, another, the model's
    accept_as(page, "crack, as correction 1 marks it")
    expect(page.locator("#decided")).to_contain_text("counts as crack")
    assert world.clips[clip]["row"]["mask"] not in (None, before)


def test_kept_clips_are_for_whoever_has_a_key(page: Page, site: str) -> None:
    open_page(page, site)
    page.get_by_role("tab", name="Review").click()
    expect(page.locator("#queue")).to_contain_text("Enter an admin's key")


def test_a_service_that_is_away_is_said_and_found_again_by_itself(
    page: Page, world: World, uploads: Path
) -> None:
    with Server(create(world)) as api:
        port = urlsplit(api).port
    assert port is not None
    with Server(below_ui(build_page(api, uploads))) as at:
        page.goto(f"{at}/ui/")
        expect(page.locator("#banner")).to_contain_text("does not answer")
        with Server(create(world), port):
            expect(page.locator("#banner")).to_be_empty()
            expect(page.get_by_label("Domain")).to_have_value("Machine faults")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(
    browser: Browser, site: str, world: World, clip: Path, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    open_page(page, f"{site}?key={ADMIN}")
    upload(page, clip)
    expect(page.locator("#figure .tt-scope")).to_be_visible()
    sideways = "document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(sideways) <= 0
    page.get_by_role("tab", name="Retrain").click()
    expect(page.locator("#versions")).to_contain_text("champion")
    assert page.evaluate(sideways) <= 0
    keep(world, "faults", "normal", state="quarantined", flagged=True)
    page.get_by_role("tab", name="Review").click()
    expect(page.locator("#shown audio")).to_be_visible()
    assert page.evaluate(sideways) <= 0
    context.close()


@pytest.mark.parametrize("path", [__file__, "http://127.0.0.1/", "https://example.com/a.wav"])
def test_no_file_of_this_machine_and_no_other_address_is_handed_out(site: str, path: str) -> None:
    answer = httpx.get(f"{site}gradio_api/file={path}", trust_env=False)
    assert answer.status_code in {403, 404}
