"""Journeys of a person through the dashboard, in a real browser. Any console error or outside request fails them."""

import re
import shutil
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runyard.client import open_client
from runyard.records import RunSpec, new_run_id
from tests.dashboard.conftest import Server, Visit
from tests.server import demo_home

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.slow]

ROWS = ".rows .row:not(.blank)"


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's home, made once; each test gets a copy."""
    path = tmp_path_factory.mktemp("demo") / "home"
    demo_home.make(path).client.close()
    return path


@pytest.fixture
def demo(filled: Path, tmp_path: Path, serve: Callable[[Path], Server]) -> Server:
    shutil.copytree(filled, tmp_path / "home", symlinks=True)
    return serve(tmp_path / "home")


def _open(visit: Visit, server: Server, place: str = "#/p/weld-seam") -> "Page":
    visit.page.goto(server.address + place)
    visit.page.wait_for_selector(".row.run, .row.group")
    visit.page.wait_for_selector(".live.on")
    return visit.page


def _says(page: "Page", text: str) -> None:
    page.get_by_text(text, exact=False).first.wait_for()


def _until(page: "Page", expression: str, arg: object = None) -> None:
    """Waits in here: a page with a content policy evaluates no text, and that is how Playwright would wait in it."""
    until = time.monotonic() + 15
    while not page.evaluate(expression, arg):
        assert time.monotonic() < until, expression
        page.wait_for_timeout(50)


def _filter(page: "Page", query: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(query)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")


def test_an_empty_home_says_what_to_type(tmp_path: Path, serve: Callable[[Path], Server], visit: Visit) -> None:
    server = serve(tmp_path / "home")
    visit.page.goto(server.address)
    _says(visit.page, "This is where your runs will be")
    _says(visit.page, "runyard new my-project")


def test_the_first_look_shows_runs_and_selects_some(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    _says(page, "36 runs")
    assert page.locator(".row.selected").count() == 3
    heads = page.locator(".head-title").all_text_contents()
    assert heads[:2] == ["state", "name"]
    assert {"depth", "lr", "val/accuracy"} <= set(heads)
    assert "width" not in heads  # it is the same in all runs


def test_what_the_first_rows_need_is_asked_for_early_and_once(demo: Server, visit: Visit) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url.partition("/api/v1/")[2]))
    visit.page.goto(f'{demo.address}#/p/weld-seam?q=state+==+"COMPLETED"&sort=-metric:val/accuracy.max')
    visit.page.wait_for_selector(".row.run")

    needed = [each for each in asked if re.match(r"(session|projects|columns)\b|runs\?.*limit=100\b", each)]
    assert [re.split(r"\?", each)[0] for each in needed[:5]] == ["session", "projects", "columns", "columns", "runs"]
    assert len(needed[:4]) == len(set(needed[:4]))
    assert set(needed[4:]) == {needed[4]}  # asked by the same functions, so the table takes the answer


def test_filter_narrows_and_a_mistake_is_told_under_the_word(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    _filter(page, 'config.optim.lr < 0.05 and state == "COMPLETED"')
    _until(page, "!document.querySelector('.sum').textContent.includes('36')")
    assert "q=" in page.url
    tops = page.evaluate("[...document.querySelectorAll('.filter-ink span')].map(word => word.offsetTop)")
    assert len(tops) > 8
    assert len(set(tops)) == 1  # all words stand where they are typed
    states = {text.strip() for text in page.locator(".row .state").all_text_contents()}
    assert states == {"done"}
    visit.is_server_away = True  # a refused query is an answer 422, which Chromium writes to its console
    page.fill("#filter", "stat == 1")
    page.keyboard.press("Enter")
    page.wait_for_selector(".squiggle")
    assert page.locator(".filter-problem").inner_text() != ""
    visit.is_server_away = False
    page.click(".filter-clear")
    _says(page, "36 runs")


def test_a_link_finds_the_project_of_a_run_and_says_what_it_did_not_find(demo: Server, visit: Visit) -> None:
    with closing(open_client(demo.home)) as client:
        names = {run.project: run.id for run in client.index.find(None, limit=100)}
    for name, run in names.items():
        page = _open(visit, demo, f"#/run/{run}")
        page.wait_for_url(f"**/p/{name}?*")
        _says(page, "1 run")
        page.wait_for_selector(".row.selected")

    page.goto(f"{demo.address}#/p/nowhere")
    page.get_by_role("heading", name="There is no project “nowhere” here").wait_for()
    page.locator(".choices").get_by_role("link", name="weld-seam").click()
    _says(page, "36 runs")
    visit.is_server_away = True  # an answer 404, which Chromium writes to its console
    page.goto(f"{demo.address}#/run/zzzzzzzzzz")
    page.locator(".toast.bad", has_text="zzzzzzzzzz").wait_for()
    page.wait_for_selector(".row.run")


def test_completion_offers_settings_and_their_values(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.keyboard.press("/")
    page.keyboard.type("optim.l")
    page.wait_for_selector(".filter-menu .menu-item")
    page.keyboard.press("Tab")
    assert page.input_value("#filter").startswith("config.optim.lr")
    page.keyboard.type("== ")
    page.wait_for_selector(".filter-menu code:text-is('0.03')")


def test_a_header_sorts_both_ways(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    head = page.locator(".head-cell", has_text="val/accuracy")
    head.locator("button").click()
    page.wait_for_selector(".head-cell[aria-sort=descending]:has-text('val/accuracy')")
    _until(page, "document.querySelector('.row .best')?.closest('.row').id === 'row-0'")
    head.locator("button").click()
    page.wait_for_selector(".head-cell[aria-sort=ascending]:has-text('val/accuracy')")


def test_groups_fold_the_seeds_and_unfold(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.keyboard.press("g")
    page.wait_for_selector(".row.group")
    _says(page, "12 groups")
    assert re.search(r"±", page.locator(".row.group").first.inner_text())
    page.locator(".fold").first.click()
    page.wait_for_selector(".row.child")
    assert page.locator(".row.child").count() == 3
    page.keyboard.press("g")
    page.wait_for_selector(".row.run")


def test_selection_by_mouse_and_keyboard_is_in_the_url(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.keyboard.press("Escape")
    _says(page, "nothing selected")
    rows = page.locator(ROWS)
    rows.nth(1).locator(".name").click()
    rows.nth(3).locator(".name").click(modifiers=["Shift"])
    assert page.locator(".row.selected").count() == 3
    rows.nth(6).locator(".name").click(modifiers=["Control"])
    assert page.locator(".row.selected").count() == 4
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    _until(page, "document.querySelectorAll('.row.selected').length === 5")
    _until(page, "location.hash.includes('sel=')")
    colours = "[...document.querySelectorAll('.row.selected .dot')].map(dot => dot.style.background)"
    before = page.evaluate(colours)
    page.reload()
    page.wait_for_selector(".row.selected")
    assert page.evaluate(colours) == before
    page.keyboard.press("Control+a")
    _says(page, "36 runs selected")


def test_name_and_tags_are_edited_in_place(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.locator(".row.run .name").nth(5).dblclick()
    page.keyboard.press("Escape")
    page.locator(".row.run .name").first.dblclick()
    page.locator(".editor").fill("the good one")
    page.keyboard.press("Enter")
    page.locator(".name", has_text="the good one").wait_for()
    assert page.locator(".row.selected").count() == 3  # as before
    page.goto(page.url.split("?")[0] + "?split=1.000")
    page.wait_for_selector(".row.run")
    page.locator(".row.run").first.locator(".cell").last.dblclick()
    page.locator(".editor").fill("keep, night")
    page.keyboard.press("Enter")
    page.locator(".tag", has_text="keep").wait_for()
    client = open_client(demo.home)
    try:
        found = client.index.find('name == "the good one"')
        assert sorted(found[0].tags) == ["keep", "night"]
    finally:
        client.close()


def test_a_deletion_can_be_undone(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.get_by_role("toolbar", name="Selected runs").get_by_role("button", name="Delete").click()
    _says(page, "3 runs moved to the trash")
    _says(page, "33 runs")
    page.get_by_role("button", name="Undo").click()
    _says(page, "36 runs")


def test_a_waiting_run_can_be_cancelled(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, '#/p/paint-check?q=state+%3D%3D+"QUEUED"')
    page.keyboard.press("Escape")
    page.locator(".row.run .name").first.click()
    name = page.locator(".row.run .name").first.inner_text()
    page.get_by_role("toolbar", name="Selected runs").get_by_role("button", name="Stop").click()
    _until(page, "name => !document.querySelector('.rows').textContent.includes(name)", name)


def test_the_other_pages_open(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.get_by_role("link", name="Queue").click()
    page.get_by_role("heading", name="Queue").wait_for()
    page.wait_for_selector(".queue-list .list-row")
    page.get_by_role("link", name="Morning").click()
    page.wait_for_selector(".figures")
    _says(page, ", 18:00")  # the evening before
    page.get_by_role("link", name="Disk").click()
    page.get_by_role("heading", name="Disk").wait_for()
    page.go_back()
    page.wait_for_selector(".figures")


def test_the_page_comes_back_after_the_server_was_restarted(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    visit.is_server_away = True
    demo.stop()
    page.wait_for_selector(".live:not(.on)")
    demo.start()
    page.wait_for_selector(".live.on", timeout=15_000)
    visit.is_server_away = False
    client = open_client(demo.home)
    try:
        run = client.index.find(None, project="weld-seam", limit=1)[0]
        client.rename(run.id, "renamed elsewhere")
    finally:
        client.close()
    page.locator(".name", has_text="renamed elsewhere").wait_for(timeout=10_000)


def test_a_change_between_the_first_answers_and_the_stream_of_changes_is_not_missed(demo: Server, visit: Visit) -> None:
    held: list[Route] = []
    visit.page.route("**/api/v1/events", lambda route: held.append(route))
    visit.page.goto(demo.address + "#/projects")
    visit.page.get_by_role("link", name="weld-seam").wait_for()
    while not held:
        visit.page.wait_for_timeout(20)
    with closing(open_client(demo.home)) as client:
        client.submit([RunSpec(id=new_run_id(), project="arrived", name="first", created_at=datetime.now(UTC))])
    while b"arrived" not in urllib.request.urlopen(f"{demo.address}api/v1/projects").read():
        visit.page.wait_for_timeout(20)  # the server saw it while no page was listening

    held[0].continue_()

    visit.page.get_by_role("link", name="arrived").wait_for(timeout=10_000)


def test_the_help_lists_the_keys(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.help:not([open])", state="attached")


def test_a_change_elsewhere_appears_without_reload(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    client = open_client(demo.home)
    try:
        run = client.index.find(None, project="weld-seam", limit=1)[0]
        client.rename(run.id, "<script>alert(1)</script> \N{RIGHT-TO-LEFT OVERRIDE}\N{GRINNING FACE}")
    finally:
        client.close()
    page.locator(".row .name", has_text="<script>alert(1)</script>").wait_for(timeout=10_000)


def test_a_running_run_is_asked_to_stop(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, '#/p/paint-check?q=state+%3D%3D+"RUNNING"')
    bar = page.get_by_role("toolbar", name="Selected runs")
    assert page.locator(".row.selected").count() == 3
    bar.get_by_role("button", name="Stop").click()
    _says(page, "asked to stop")


def test_columns_are_chosen_pinned_resized_and_moved(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo, "#/p/weld-seam?split=1.000")
    page.get_by_role("button", name="columns").click()
    page.get_by_label("Find a column").fill("momentum")
    page.locator(".columns-menu .menu-item", has_text="optim.momentum").locator("input").check()
    page.locator(".columns-menu .menu-item", has_text="optim.momentum").get_by_role("button", name="pin").click()
    page.keyboard.press("Escape")
    page.locator(".head-cell.pinned", has_text="momentum").wait_for()
    _until(page, "location.hash.includes('cols=')")
    head = page.locator(".head-cell", has_text="depth")
    before = head.bounding_box()
    assert before is not None
    edge = before["x"] + before["width"]
    page.mouse.move(edge, before["y"] + 14)
    page.mouse.down()
    page.mouse.move(edge + 60, before["y"] + 14, steps=4)
    page.mouse.up()
    after = head.bounding_box()
    assert after is not None
    assert after["width"] == pytest.approx(before["width"] + 60, abs=4)
    page.locator(".head-cell", has_text="lr").drag_to(head)
    titles = page.locator(".head-title").all_text_contents()
    assert titles.index("lr") < titles.index("depth")


def test_the_table_is_a_file(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="csv", exact=True).first.click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert len(lines) == 37
    assert lines[0].startswith("id,state,name,")
    assert "val/accuracy.max" in lines[0]


def test_a_view_is_saved_and_opened(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.keyboard.press("g")
    page.wait_for_selector(".row.group")
    page.get_by_role("button", name="views").click()
    page.get_by_label("Name of this view").fill("seeds folded")
    page.keyboard.press("Enter")
    _says(page, "saved")
    page.keyboard.press("g")
    page.wait_for_selector(".row.run")
    page.get_by_role("button", name="views").click()
    page.get_by_role("link", name="seeds folded").click()
    page.wait_for_selector(".row.group")


def test_the_theme_is_switched_and_kept(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.get_by_label("Dark theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    page.wait_for_selector(".row.run")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_queue_is_reordered_held_and_paused(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.get_by_role("link", name="Queue").click()
    rows = page.locator(".queue-list .list-row", has=page.get_by_role("button", name="Cancel"))
    rows.first.wait_for()
    last = rows.filter(has=page.get_by_role("button", name="Hold")).last
    name = last.locator(".run-link").inner_text()
    last.get_by_role("button", name="to the top").click()
    _until(page, "name => document.querySelector('[aria-label=Waiting] .run-link').textContent === name", name)
    rows.first.get_by_role("button", name="Hold").click()
    page.locator(".list-row.is-held", has_text=name).wait_for()
    page.get_by_role("button", name="Pause paint-check").click()
    page.get_by_role("button", name="Resume paint-check").click()
    page.get_by_role("button", name="Pause paint-check").wait_for()


def test_what_is_in_the_trash_comes_back(demo: Server, visit: Visit) -> None:
    page = _open(visit, demo)
    page.get_by_role("link", name="Disk").click()
    page.get_by_role("button", name="Restore").first.click()
    _says(page, "1 run restored")
    _says(page, "Deleted runs wait here")


def test_a_phone_has_table_and_panels_below(demo: Server, visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = _open(visit, demo)
    table = page.locator(".runs").bounding_box()
    panel = page.locator(".right").bounding_box()
    assert table is not None
    assert panel is not None
    assert table["width"] == pytest.approx(390, abs=2)
    assert panel["y"] >= table["y"] + table["height"] - 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
