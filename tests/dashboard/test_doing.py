"""What a person does to runs, grid, queue, machines and disk, in a real browser; and the screen on the wall."""

import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from runyard.bridges.intake import Foreign, begin
from runyard.client import Client, open_client, trash
from runyard.hosts import host_name
from runyard.journal import HOST, JournalWriter
from runyard.journal.events import Started
from runyard.project.new import new
from runyard.project.template.overview import KnownCI
from runyard.records import RunSpec, RunState, new_run_id
from runyard.tracking.media.audio import encode_audio
from tests.dashboard.conftest import Server, Visit
from tests.nvml.machine import FakeMachine, fake_machine
from tests.server import demo_home

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow]

PHONE_WIDTH = 390


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's home, made once; each test gets a copy."""
    path = tmp_path_factory.mktemp("doing") / "home"
    demo_home.make(path).client.close()
    return path


@pytest.fixture
def home(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNYARD_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setenv("RUNYARD_CPU_SLOTS", "2")
    shutil.copytree(filled, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


@pytest.fixture
def demo(home: Path, serve: Callable[[Path], Server]) -> Server:
    return serve(home)


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """Two GPUs that are not there; must come before the server."""
    (tmp_path / "nvml").mkdir()
    return fake_machine(tmp_path / "nvml", monkeypatch, gpus=2)


def _open(visit: Visit, server: Server, place: str) -> "Page":
    visit.page.goto(server.address + place)
    visit.page.wait_for_selector(".live.on")
    return visit.page


def test_a_missing_point_of_the_grid_is_queued_after_its_count_was_shown(
    home: Path, demo: Server, visit: Visit
) -> None:
    client = open_client(home)
    gone = client.index.find('config.optim.lr == 0.1 and config.model.depth == 2 and config.optim.name == "sgd"')
    page = _open(visit, demo, "#/p/weld-seam?tab=grid")
    trash.put(client, [row.id for row in gone])

    page.locator(".grid-hole").click()
    page.get_by_role("button", name="Queue 3 runs").click()

    page.get_by_text("3 runs queued").wait_for()
    page.locator(".grid-states", has_text="3 waiting").wait_for()
    client.refresh()
    assert client.index.count('state == "QUEUED"', project="weld-seam") == 3
    client.close()


def test_a_failed_point_of_the_grid_is_tried_again(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam?tab=grid")

    page.locator(".grid-retry").first.click()

    page.get_by_text("1 run back in the queue").wait_for()
    page.locator(".grid-states", has_text="1 waiting").wait_for()


def test_a_gpu_is_reserved_and_given_back(gpus: FakeMachine, demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/queue")
    card = page.locator(".slot-card", has_text="GPU 1")

    card.get_by_role("button", name="Reserve").click()
    card.get_by_role("button", name="2 hours").click()
    card.get_by_label("The reason").fill("a <b>demo</b>")
    card.get_by_label("The reason").press("Enter")

    page.locator(".slot-card.reserved", has_text="a <b>demo</b>").wait_for()
    page.locator(".lane.reserved").wait_for()
    card.get_by_role("button", name="End reservation").click()
    page.locator(".slot-card.free", has_text="GPU 1").wait_for()


def test_a_gpu_that_others_use_names_them(gpus: FakeMachine, demo: Server, visit: Visit) -> None:
    gpus.also("compute 0 1 9000")

    page = _open(visit, demo, "#/queue")

    card = page.locator(".slot-card.busy", has_text="GPU 0")
    card.wait_for()
    assert "9.4 GB" in card.inner_text()
    names = page.locator(".lane b")
    assert names.count() == 5
    cut = "all => all.filter(b => b.scrollWidth > b.clientWidth && b.clientWidth < 100).map(b => b.innerText)"
    assert names.evaluate_all(cut) == []  # no two letters and an ellipsis


def test_a_waiting_run_is_dragged_in_front_of_another_and_to_the_end(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/queue")
    table = page.get_by_role("table", name="Waiting")
    table.locator(".list-row").first.wait_for()
    before = _waiting(page)
    users = dict(before)

    table.locator(".list-row").nth(4).drag_to(table.locator(".list-row").nth(2), target_position={"x": 200, "y": 6})

    of_whom = users[before[4][0]]
    mine = [run for run, user in before if user == of_whom]
    mine.remove(before[4][0])
    mine.insert(sum(user == of_whom for _, user in before[:2]), before[4][0])
    _until(lambda: [run for run, user in _waiting(page) if user == of_whom] == mine, page)  # users take turns
    last = _waiting(page)[1][0]
    _drag_to_the_end(page)
    # held runs stand below those that can start
    _until(lambda: [run for run, user in _waiting(page, can_start=True) if user == users[last]][-1] == last, page)


def _waiting(page: "Page", *, can_start: bool = False) -> list[tuple[str, str]]:
    """The waiting runs as they stand there: their links and whose they are."""
    rows = page.evaluate(
        "[...document.querySelectorAll('[aria-label=Waiting] .list-row')].map("
        "row => [row.querySelector('.run-link').href, row.innerText])"
    )
    found = [(href, "anna" if "anna" in text else "jon", "Release" in text) for href, text in rows]
    return [(href, user) for href, user, is_held in found if not (can_start and is_held)]


def _drag_to_the_end(page: "Page") -> None:
    """The place to drop a run at the end opens while one is dragged."""
    table = page.get_by_role("table", name="Waiting")
    table.locator(".list-row").nth(1).locator(".why").hover()
    page.mouse.down()
    table.locator(".list-row").nth(3).locator(".why").hover()
    end = table.locator(".drop-end.is-open")
    end.hover()
    end.hover()
    page.mouse.up()


def _until(holds: Callable[[], bool], page: "Page") -> None:
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(50)
    assert holds()


def test_priority_hold_and_pause_change_the_queue(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/queue")
    row = page.get_by_role("table", name="Waiting").locator(".list-row").nth(3)
    link = row.locator(".run-link").get_attribute("href")
    row.locator(".priority button").click()
    row.locator(".editor").fill("9")
    row.locator(".editor").press("Enter")
    first = page.get_by_role("table", name="Waiting").locator(".list-row").first
    first.locator(f'.run-link[href="{link}"]').wait_for()

    first.get_by_role("button", name="Hold").click()
    page.locator(".list-row.is-held", has=page.locator(f'.run-link[href="{link}"]')).wait_for()
    page.get_by_role("button", name="Pause paint-check").click()
    page.get_by_text("was paused by").first.wait_for()
    page.get_by_role("button", name="Resume paint-check").click()
    page.get_by_role("button", name="Pause paint-check").wait_for()


def test_failed_runs_are_cleaned_by_rule_and_come_back(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/disk")
    cleaner = page.get_by_role("region", name="Clean by rule")
    cleaner.get_by_role("button", name="Old failed runs").click()
    cleaner.get_by_text("Nothing to clean").wait_for()
    cleaner.get_by_label("Days").fill("0")
    cleaner.get_by_label("Days").press("Enter")
    cleaner.locator(".cleaner-foot b", has_text="runs").wait_for()

    cleaner.get_by_role("button", name="Move to the trash").click()

    page.get_by_text("moved to the trash").wait_for()
    cleaner.get_by_text("Nothing to clean").wait_for()
    page.get_by_role("button", name="Undo").click()
    cleaner.locator(".cleaner-foot b", has_text="runs").wait_for()


def test_a_project_is_cleaned_down_to_a_size_and_gets_its_runs_back(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/disk")
    cleaner = page.get_by_role("region", name="Clean by rule")
    cleaner.get_by_role("button", name="Stored files above a size").click()
    cleaner.get_by_text("Nothing to clean").wait_for()
    cleaner.get_by_label("Project").select_option("weld-seam")
    cleaner.get_by_label("GB", exact=True).fill("0")
    cleaner.get_by_label("GB", exact=True).press("Enter")
    cleaner.locator(".cleaner-foot b", has_text="run").wait_for()

    cleaner.get_by_role("button", name="Move to the trash").click()

    page.get_by_text("moved to the trash").wait_for()
    cleaner.get_by_text("Nothing to clean").wait_for()
    page.get_by_role("button", name="Undo").click()
    cleaner.locator(".cleaner-foot b", has_text="run").wait_for()


def test_the_trash_is_emptied_only_after_a_second_click(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/disk")
    page.get_by_role("button", name="Empty the trash").click()
    page.get_by_role("button", name="Really delete 1 run for good?").click()
    page.get_by_text("are free again").wait_for()
    page.get_by_text("Deleted runs wait here").wait_for()


def test_curves_are_drawn_by_epoch_and_by_another_metric(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam")
    axis = page.get_by_label("The x axis")
    axis.locator("option", has_text="by epoch").wait_for(state="attached")

    axis.select_option("metric:epoch")
    page.wait_for_timeout(600)
    card = page.locator('.chart-card[data-metric="val/loss"]')
    card.scroll_into_view_if_needed()
    card.locator(".u-over").hover()
    page.locator(".chart-tip", has_text="epoch").wait_for()
    axis.select_option("metric:train/loss")
    page.wait_for_timeout(600)
    card.locator(".u-over").hover(position={"x": 60, "y": 60})
    page.locator(".chart-tip", has_text="train/loss").wait_for()
    assert "x=metric" in page.url


def test_logged_curves_of_all_runs_are_in_one_drawing(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam?tab=media")

    page.locator(".curve-legend li", has_text="area 0.").first.wait_for()

    assert page.locator(".curve-overlay path").count() == 3


@pytest.mark.parametrize("way", ["key", "address"])
def test_the_big_screen_shows_what_runs_and_nothing_to_click(demo: Server, visit: Visit, way: str) -> None:
    page = _open(visit, demo, "?screen=1" if way == "address" else "#/p/weld-seam")
    if way == "key":
        page.keyboard.press("b")

    page.locator(".screen-runs li").nth(2).wait_for()
    page.locator(".screen-chart .plot-canvas").first.wait_for()
    assert page.locator("button, input, a").count() == 0
    assert page.locator(".screen-head h1").inner_text() == "paint-check"
    page.keyboard.press("Escape")
    page.locator(".top").wait_for()


@pytest.mark.parametrize("place", ["#/queue", "#/disk", "#/p/weld-seam?tab=grid", "#/morning"])
def test_a_phone_scrolls_in_one_direction(demo: Server, visit: Visit, place: str) -> None:
    visit.page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
    page = _open(visit, demo, place)
    page.wait_for_timeout(500)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH


def test_a_note_is_kept_when_its_field_is_left(home: Path, demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam?tab=overview")
    page.get_by_label("Note", exact=True).fill("diverges\nafter <b>epoch</b> 30")
    page.get_by_role("heading", name="Config").click()

    client = open_client(home)
    _until_count(client, r'note == "diverges\nafter <b>epoch</b> 30"', 1)
    client.close()


def _until_count(client: Client, query: str, wanted: int) -> None:
    until = time.monotonic() + 60
    while True:
        client.refresh()
        if client.index.count(query) == wanted:
            return
        assert time.monotonic() < until, query


def test_selected_runs_are_tagged_and_tried_again_together(home: Path, demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, '#/p/weld-seam?q=state+%3D%3D+"FAILED"')
    bar = page.get_by_role("toolbar", name="Selected runs")
    bar.get_by_role("button", name="Tag").click()
    page.get_by_label("Tags", exact=True).fill("night, -baseline")
    page.keyboard.press("Enter")
    page.get_by_text("2 runs tagged").wait_for()

    bar.get_by_role("button", name="Retry").click()

    page.get_by_text("2 runs back in the queue").wait_for()
    client = open_client(home)
    _until_count(client, 'state == "QUEUED" and "night" in tags', 2)
    client.close()


def test_runs_are_grouped_by_chosen_settings(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam")
    page.get_by_role("button", name="group by").click()
    page.locator(".group-menu .menu-item", has_text="optim.lr").click()
    page.get_by_text("3 groups").wait_for()

    page.locator(".group-menu .menu-item", has_text="model.depth").click()

    page.get_by_text("6 groups").wait_for()
    assert "group=optim.lr%2Cmodel.depth" in page.url


def test_the_splitter_is_dragged_and_its_place_is_in_the_url(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam")
    page.locator(".splitter").hover(position={"x": 0, "y": 200})

    page.mouse.down()
    page.mouse.move(900, 400, steps=4)
    page.mouse.up()

    page.wait_for_url("**split=0.625*")
    page.locator(".splitter").dblclick(position={"x": 0, "y": 200})
    page.wait_for_url("**split=1.000*")


def test_a_card_fills_the_window_until_escape(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam")
    card = page.locator('.chart-card[data-metric="train/loss"]')
    card.locator("header").hover()
    card.get_by_role("button", name="expand").click()
    page.locator(".chart-card.is-large").wait_for()

    page.keyboard.press("Escape")

    page.locator(".chart-card.is-large").wait_for(state="detached")


def test_a_logged_table_is_sorted_by_a_column(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam?tab=media")
    table = page.locator(".medium-table").first
    table.get_by_role("button", name="score").click()
    table.locator('th[aria-sort="ascending"]', has_text="score").wait_for()

    scores = [float(text) for text in table.locator("tbody tr td:nth-child(3)").all_inner_texts()]

    assert scores == sorted(scores)


def test_a_logged_sound_can_be_heard(home: Path, demo: Server, visit: Visit) -> None:
    began = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
    sound, meta = encode_audio(np.zeros(4000), rate_hz=8000)
    with closing(open_client(home)) as client:
        foreign = Foreign(source="test:1", project="sound", name="hums", created_at=began, started_at=began)
        with begin(client, foreign) as run:
            run.media("hum", sound, step=3, kind="audio", mime="audio/wav", at=began, meta=meta | {"caption": "low"})
            run.end(RunState.COMPLETED, at=began)
    page = _open(visit, demo, f"#/p/sound?tab=media&sel={run.id}~0")

    page.get_by_text("step 3").first.wait_for()
    page.wait_for_function("() => document.querySelector('.medium audio')?.duration === 0.5")

    assert page.locator(".medium audio").get_attribute("aria-label") == "low"


def test_a_stored_file_is_downloaded_under_its_name(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam?tab=overview")

    with page.expect_download() as started:
        page.locator('a[href*="/artifacts/"]').first.click()

    assert started.value.suggested_filename == "config.json"


def test_the_big_screen_turns_between_projects_that_run(home: Path, demo: Server, visit: Visit) -> None:
    client = open_client(home)
    again = client.index.find('state == "FAILED"', project="weld-seam", limit=1)[0]
    client.retry(again.id)
    attempt = client.folder(again.id).attempt(2)
    attempt.path.mkdir(parents=True)
    journal = JournalWriter(attempt.journal(HOST), run=again.id, attempt=2, stream=HOST)
    journal.event(Started(time_ns=time.time_ns(), host=demo_home.ELSEWHERE, user="anna", pid=1))
    client.index.catch_up(again.id)
    assert client.index.get(again.id).state == "RUNNING"
    visit.page.clock.install()
    page = _open(visit, demo, "#/screen")
    page.locator(".screen-dots i").nth(1).wait_for()
    first = page.locator(".screen-head h1").inner_text()

    page.clock.run_for(20_500)

    page.locator(".screen-head h1", has_text=({"weld-seam", "paint-check"} - {first}).pop()).wait_for()
    journal.close()
    client.close()


def test_projects_tell_template_last_run_and_ci(demo: Server, visit: Visit, tmp_path: Path, user_home: Path) -> None:
    folder = new("old-project", tmp_path / "old-project").path
    answers = folder / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace('_commit: "0.1.0"', '_commit: "0.0.9"'))
    with closing(open_client(demo.home)) as client:
        spec = RunSpec(
            id=new_run_id(),
            project="old-project",
            name="first",
            created_at=datetime.now(UTC),
            host=host_name(),
            project_dir=str(folder),
            is_queued=True,
        )
        client.submit([spec])
        KnownCI(client.home).note("old-project", "failed")

    page = _open(visit, demo, "#/queue")
    page.get_by_role("link", name="Projects").click()

    row = page.locator("tr", has=page.get_by_role("link", name="old-project"))
    row.get_by_text("1 behind").wait_for()
    row.get_by_text("failed").wait_for()
    row.get_by_role("link", name="first").click()
    page.wait_for_url(re.compile("#/p/old-project"))
