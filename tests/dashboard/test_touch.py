"""The page on a phone, under a finger: no pointer hovers, and nothing is clicked twice."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runyard.client import open_client
from runyard.journal import HOST, JournalWriter
from runyard.journal.events import Ended, Started
from tests.dashboard.conftest import Server, Visit
from tests.server import demo_home

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow]

WIDTH = 390


@pytest.fixture
def phone(browser: "Browser") -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": WIDTH, "height": 844}, has_touch=True, is_mobile=True)
    found = Visit(context.new_page())
    yield found
    context.close()
    assert found.wrong == []


@pytest.fixture
def tried_again(tmp_path: Path) -> tuple[Path, str]:
    """A home, and a run of it whose first attempt was interrupted."""
    home = tmp_path / "home"
    demo_home.make(home, steps=30).close()
    client = open_client(home)
    run = client.index.find('state == "COMPLETED"', project="weld-seam", limit=1)[0]
    now = time.time_ns()
    journal = client.folder(run.id).attempt(2).journal(HOST)
    journal.parent.mkdir()
    again = JournalWriter(journal, run=run.id, attempt=2, stream=HOST)
    again.event(Started(time_ns=now, host="ws9", user="anna", pid=1))
    again.event(Ended(time_ns=now + 1, state="STOPPED", reason="stopped by anna"))
    again.close()
    client.index.catch_up(run.id)
    client.close()
    return home, run.id


def test_runs_are_filtered_opened_and_closed_by_touch(
    tried_again: tuple[Path, str], serve: Callable[[Path], Server], phone: Visit
) -> None:
    home, run = tried_again
    page = phone.page
    page.goto(f"{serve(home).address}#/p/weld-seam")
    page.wait_for_selector(".live.on")
    page.locator(".row.run").first.wait_for()

    page.get_by_role("button", name="Clear").tap()
    page.locator("#filter").tap()
    page.keyboard.type(f'id == "{run}"')
    page.keyboard.press("Enter")
    page.locator(".sum", has_text="1 run").wait_for()
    page.locator(".row.run .name").tap()
    page.locator(".row.run.selected").wait_for()
    page.get_by_role("tab", name="Overview").tap()
    attempts = page.locator("section", has=page.get_by_role("heading", name="Attempts")).get_by_role("row")
    attempts.nth(1).wait_for()
    told = [each.inner_text() for each in attempts.all()]
    page.locator(".row.run.selected .name").tap()
    page.locator(".row.run.selected").wait_for(state="detached")

    assert "done" in told[0]
    assert "ws9" in told[1]
    assert "stopped by anna" in told[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


def test_menus_open_close_and_lead_on_by_touch(
    tried_again: tuple[Path, str], serve: Callable[[Path], Server], phone: Visit
) -> None:
    page = phone.page
    page.goto(f"{serve(tried_again[0]).address}#/p/weld-seam")
    page.locator(".row.run").first.wait_for()

    for name in ("columns", "group", "views"):
        page.get_by_role("button", name=name).first.tap()
        box = page.locator(".menu").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= WIDTH
        page.locator(".live").tap()
        page.locator(".menu").wait_for(state="detached")
    dots = page.locator(".row.run .pick")
    for number in (0, 1):
        size = dots.nth(number).bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 27
    page.locator(".project-switch").tap()
    page.locator(".menu-item", has_text="paint-check").tap()
    page.wait_for_url("**/#/p/paint-check*")
    page.get_by_role("link", name="Queue").tap()
    page.get_by_role("main", name="Queue").get_by_role("heading", name="Waiting").wait_for()
