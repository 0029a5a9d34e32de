"""Teach in a real browser: clips decided by keyboard, added, forgotten; receipts."""

import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.ui.places.teach import teach_add
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_clips import answer, keep
from support.fakes.fake_world import World
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.local_server import Server

pytestmark = pytest.mark.browser
OVER_EACH_OTHER = """() => {
  const [seen, drawn] = [".tt-photo", ".tt-mask"].map(css => {
    const found = document.querySelector(`#shown ${css}`);
    return found && JSON.stringify(found.getBoundingClientRect());
  });
  return seen && seen === drawn;
}"""


def open_teach(page: Page, site: str, domain: str = "faults") -> None:
    page.goto(f"{site}?key={ADMIN}&domain={domain}&place=teach")
    expect(page.locator("#tally")).to_be_visible()


def shows(page: Page, clip: str) -> None:
    """It is what is seen as well as what would be decided upon."""
    for part in ("#shown", "#decision"):
        expect(page.locator(f"{part} [data-clip='{clip}']").first).to_be_visible()


def test_ten_clips_are_decided_by_keyboard_alone_and_decisions_undone(
    page: Page, site: str, world: World
) -> None:
    clips = [keep(world, "faults", "normal", state="quarantined") for _ in range(10)]
    open_teach(page, site)
    shows(page, clips[0])
    expect(page.locator("#views")).to_contain_text("Sent as normal")
    expect(page.locator("#views")).to_contain_text("The model, version")
    expect(page.locator("#shown .tt-spectrum polyline").first).to_be_attached()  # its evidence
    page.keyboard.press("Enter")
    expect(page.locator("#decision")).to_contain_text("Say what it is first")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("#tally")).to_have_text("9 left, 1 done")
    shows(page, clips[1])
    expect(page.locator("#decision input:checked")).to_have_count(0)
    page.get_by_label("Why not").fill("jukebox, not a pump")  # letters that are keys elsewhere
    page.keyboard.press("Tab")
    page.keyboard.down("x")
    expect(page.locator("#decision")).to_contain_text("will not be learnt from")
    page.keyboard.down("x")  # it is held: that is one decision
    page.keyboard.up("x")
    expect(page.get_by_label("Why not")).to_have_value("")
    shows(page, clips[2])
    page.keyboard.press("j")
    shows(page, clips[3])
    page.keyboard.press("k")
    shows(page, clips[2])
    page.get_by_role("radio", name="Machine faults").focus()
    page.keyboard.press("x")  # not at the desk
    page.get_by_role("tab", name="Teach").focus()
    rows = [world.clips[clip]["row"] for clip in clips[:2]]
    assert [row["state"] for row in rows] == ["accepted", "rejected"]
    assert (rows[0]["label"], rows[1]["reason"]) == ("fluid", "jukebox, not a pump")
    page.keyboard.press("u")
    shows(page, clips[1])
    page.keyboard.press("u")
    shows(page, clips[0])
    expect(page.locator("#tally")).to_have_text("10 left, 0 done")
    assert world.clips[clips[0]]["row"]["label"] == "normal"
    for done, clip in enumerate(clips, 1):
        shows(page, clip)
        for key in "4x" if done % 2 else ("4", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#tally")).to_have_text(f"{10 - done} left, {done} done")
    states = [world.clips[clip]["row"]["state"] for clip in clips]
    assert states == ["rejected", "accepted"] * 5
    for clip in clips:
        del world.clips[clip]


def test_what_is_seen_and_what_is_decided_upon_are_one_clip_though_the_list_changes(
    page: Page, site: str, world: World
) -> None:
    slow = keep(world, "keywords", "one", state="accepted", flagged=True)
    quick = keep(world, "keywords", "two", state="accepted", flagged=True)
    last = keep(world, "keywords", "three", state="accepted", flagged=True)
    world.content_s[slow] = 1.5
    open_teach(page, site, "keywords")
    page.get_by_role("button", name="Doubted").click()
    page.locator(f"#queue [data-clip='{quick}']").click()  # while the first is on its way
    shows(page, quick)
    page.wait_for_timeout(1500)
    shows(page, quick)
    expect(page.locator("#shown")).to_contain_text("it sounds more like fluid")
    for clip in (slow, quick):
        del world.clips[clip]
    page.click("#reject")
    expect(page.locator("#decision")).to_contain_text("There is no such clip")
    shows(page, last)
    page.locator(f"#queue [data-clip='{slow}']").click()
    expect(page.locator("#shown")).to_contain_text("There is no such clip")
    expect(page.get_by_text("Error", exact=True)).to_have_count(0)


def test_kept_answers_that_were_not_sure_are_labelled_by_keyboard(
    page: Page, site: str, world: World
) -> None:
    world.clips.clear()
    sent = keep(world, "faults", "normal", state="quarantined")
    first, second = (answer(world, "faults", "fluid") for _ in range(2))
    open_teach(page, site)
    shows(page, sent)  # somebody has said something of it, and comes first
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    shows(page, world.predictions[first]["row"]["clip"])
    expect(page.locator("#decision")).to_contain_text("Kept since the answer was not sure")
    expect(page.get_by_role("button", name="Reject")).to_have_count(0)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator("#decision")).to_contain_text("counts as mechanical")
    shows(page, world.predictions[second]["row"]["clip"])
    assert first not in world.predictions
    world.predictions.clear()


def test_a_rejected_clip_is_found_again_and_forgotten_with_the_versions_that_hold_it(
    page: Page, site: str, world: World
) -> None:
    clip = keep(world, "keywords", "nine", state="rejected")
    open_teach(page, site, "keywords")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#queue [aria-current]")).to_contain_text("rejected")
    shows(page, clip)
    page.get_by_text("Forget this clip").click()
    page.click("#forget")
    expect(page.locator("#decision")).to_contain_text("Versions that hold it: 2")
    assert clip not in world.clips


def test_a_photograph_is_seen_with_each_mask_and_one_can_be_taken(
    page: Page, site: str, world: World
) -> None:
    photograph, mask = cracked(3)
    waits = ("crack", cracked(4)[1])
    clip = keep(
        world, "cracks", "crack", state="accepted", raw=photograph, mask=mask, waiting=waits
    )
    before = world.clips[clip]["row"]["mask"]
    open_teach(page, site, "cracks")
    expect(page.locator("#shown .tt-mask")).to_have_count(3)  # its own, another, the model's
    page.wait_for_function(OVER_EACH_OTHER)
    expect(page.locator("#shown")).to_contain_text("A correction waits: crack")
    page.get_by_label(re.compile("crack, as correction 1 marks it")).check(force=True)
    page.click("#accept")
    expect(page.locator("#decision")).to_contain_text("counts as crack")
    assert world.clips[clip]["row"]["mask"] not in (None, before)


def test_many_clips_are_added_by_folder_with_an_outcome_for_each(
    page: Page, site: str, world: World, tmp_path: Path
) -> None:
    for label, clips in (("fluid", 6), ("normal", 23), ("noise", 1)):
        folder = tmp_path / "clips" / label
        folder.mkdir(parents=True)
        for n in range(clips):
            (folder / f"{label}-{n}.wav").write_bytes(tone(300 + n, seconds=0.2, seed=len(label)))
    open_teach(page, site)
    page.set_input_files("#adding input[name=folder]", str(tmp_path / "clips"))
    page.click("#add")
    expect(page.locator("#added")).to_contain_text("30 of 30: 29 stored, 1 refused.")
    expect(page.locator("#added tr", has_text="noise-0")).to_contain_text("no label 'noise'")
    labels = [one["row"]["label"] for one in world.clips.values() if one["domain"] == "faults"]
    assert (labels.count("fluid"), labels.count("normal")) == (6, 23)


def test_clips_that_arrived_before_the_connection_was_lost_are_added(
    page: Page, site: str, tmp_path: Path
) -> None:
    clips = [tmp_path / f"{n}.wav" for n in range(3)]
    for n, path in enumerate(clips):
        path.write_bytes(tone(500 + n, seconds=0.2))
    open_teach(page, site)
    sent: list[str] = []

    def two(route: Route) -> None:
        sent.append(route.request.url)
        if len(sent) > 2:
            route.abort()
        else:
            route.continue_()

    page.route("**/gradio_api/upload*", two)
    page.set_input_files("#adding input[name=clips]", [str(path) for path in clips])
    page.locator("#adding").get_by_text("normal").click()
    page.click("#add")
    expect(page.locator("#adding")).to_contain_text("The upload broke off after 2 of 3")
    expect(page.locator("#added")).to_contain_text("2 of 2: 2 stored.")


def test_adding_is_stopped_between_two_clips(
    page: Page, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = threading.Event()

    def slowly(client: Client, domain: DomainInfo, item: teach_add.Item) -> teach_add.Outcome:
        going_on.wait(20)
        return teach_add.Outcome(item.clip.name, "normal", "stored", "")

    monkeypatch.setattr(teach_add, "sent", slowly)
    clips = [tmp_path / f"{n}.wav" for n in range(3)]
    for path in clips:
        path.write_bytes(tone(600, seconds=0.2))
    open_teach(page, site)
    page.set_input_files("#adding input[name=clips]", [str(path) for path in clips])
    with page.expect_response("**/queue/join*"):
        page.click("#add")
    with page.expect_response("**/run/predict*"):
        page.click("#stop-adding")
    going_on.set()
    expect(page.locator("#added")).to_contain_text("1 of 3: 1 stored.")
    expect(page.locator("#add")).to_be_visible()


def test_photographs_are_added_with_the_masks_of_their_names(
    page: Page, site: str, world: World, tmp_path: Path
) -> None:
    photograph, mask = cracked(9)
    for name, raw in (("wall.png", photograph), ("masks/WALL.png", mask)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(raw)
    open_teach(page, site, "cracks")
    page.set_input_files("#adding input[name=clips]", str(tmp_path / "wall.png"))
    page.set_input_files("#adding input[name=masks]", str(tmp_path / "masks" / "WALL.png"))
    page.click("#add")
    expect(page.locator("#added")).to_contain_text("1 of 1: 1 stored.")
    assert any(one["raw"] == photograph and one["mask"] == mask for one in world.clips.values())


def test_masks_of_one_name_are_refused(page: Page, site: str, tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        for name, raw in zip(("1.png", "1.bmp"), cracked(5), strict=True):
            (tmp_path / place / name).write_bytes(raw)
    open_teach(page, site, "cracks")
    page.set_input_files("#adding input[name=clips]", str(tmp_path / "a" / "1.png"))
    page.set_input_files(
        "#adding input[name=masks]", [str(tmp_path / place / "1.bmp") for place in ("a", "b")]
    )
    page.click("#add")
    expect(page.locator("#adding")).to_contain_text("More than one is called 1.bmp")
    expect(page.locator("#added")).to_be_empty()


def test_receipts_are_listed_with_their_life_lines(page: Page, site: str, world: World) -> None:
    with Server(create(world)) as api, Client(api, key=ADMIN) as client:
        client.correct("faults", tone(65), "fluid")
        client.correct("faults", tone(65), "electrical")
    open_teach(page, site)
    page.locator("#my-receipts summary").first.click()
    expect(page.locator("#my-receipts")).to_contain_text("electrical → fluid")
    expect(page.locator("#my-receipts")).to_contain_text("electrical, as answered")
    expect(page.locator("#my-receipts .tt-life").first).to_contain_text("Received")
