"""Text of users does no harm anywhere: nothing of it runs, the layout stays, and downloads have safe names.

A page is opened on runs whose every text is hostile, from names to tracebacks. A planted script would set
`window.planted`.
"""

import csv
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.dashboard.conftest import Server, Visit, serving
from tests.server import hostile_home
from tests.server.hostile_home import LONG, PROJECT, TEXTS, Hostile

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow]

SHORT = [text for text in TEXTS if len(text) < 200]

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""
# What is wrong with the page as it is now.
HARM = """() => {
  const wrong = [];
  if (window.planted !== undefined) wrong.push("a script ran");
  wrong.push(...window.violations);
  const foreign = document.querySelectorAll(
    "img[src=x], svg[onload], #app script, #app style, [onerror], a[href^=javascript]");
  if (foreign.length) wrong.push(`text became an element: ${foreign[0].outerHTML.slice(0, 200)}`);
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) wrong.push(`the page is ${scrollWidth} wide in ${clientWidth}`);
  for (const element of document.querySelectorAll(".page, .panel-body, .panel-charts")) {
    const most = element.matches(".panel-diff") ? 3000 : element.clientWidth + 1; // many runs beside each other
    if (element.scrollWidth > most) wrong.push(`${element.className} is ${element.scrollWidth} wide`);
  }
  const most = {
    ".rows .row": 29, ".head-cell": 29, ".chart-card header": 26, ".section-head": 40,
    ".tabs": 48, ".top": 130, ".list-row": 160, "figcaption": 40, ".diff-key": 130,
  };
  for (const [selector, height] of Object.entries(most)) {
    for (const element of document.querySelectorAll(selector)) {
      const box = element.getBoundingClientRect();
      if (box.height > height) wrong.push(`${selector} is ${box.height} high: ${element.textContent.slice(0, 60)}`);
    }
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    made = hostile_home.make(tmp_path_factory.mktemp("hostile") / "home")
    yield made
    made.client.close()


@pytest.fixture(scope="module")
def server(hostile: Hostile) -> Iterator[Server]:
    with serving(hostile.path) as server:
        yield server


@pytest.fixture
def blank(visit: Visit) -> "Page":
    """A page that is watched, and shows nothing yet."""
    visit.page.add_init_script(WATCH)
    visit.page.on("dialog", lambda dialog: visit.wrong.append(f"dialog: {dialog.message}"))
    return visit.page


@pytest.fixture
def page(server: Server, blank: "Page") -> "Page":
    """The first page that somebody sees."""
    blank.goto(server.address)
    blank.wait_for_selector(".row.run")
    blank.wait_for_selector(".live.on")
    return blank


@pytest.fixture
def go(server: Server, hostile: Hostile, blank: "Page") -> Callable[..., None]:
    """A function that opens the project anew as by a link, with all of its runs selected."""

    def go(**more: str) -> None:
        chosen = " ".join(f"{run}~{number % 7}" for number, run in enumerate(hostile.ids))
        parts = {"sel": chosen} | more
        search = "&".join(f"{name}={quoted(value)}" for name, value in parts.items())
        blank.goto("about:blank")  # or only the part behind the # would be another one
        blank.goto(f"{server.address}#/p/{quoted(PROJECT)}?{search}")
        blank.wait_for_selector(".row.run, .row.group")
        blank.wait_for_timeout(700)  # everything that the panel asks for has come

    return go


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def harm(page: "Page") -> list[str]:
    found: list[str] = page.evaluate(HARM)
    return found


@pytest.mark.parametrize("tab", ["charts", "overview", "diff", "grid", "parameters", "media", "output", "system"])
def test_a_panel_shows_hostile_text_as_text(blank: "Page", hostile: Hostile, go: Callable[..., None], tab: str) -> None:
    go(tab=tab)

    assert harm(blank) == []
    if tab in {"overview", "output"}:
        for run in hostile.ids[1:]:
            go(tab=tab, sel=f"{run}~0")
            assert harm(blank) == []


def test_the_table_shows_hostile_text_as_text(blank: "Page", go: Callable[..., None]) -> None:
    fields = ["state", "name", "tags", "note", "reason", "experiment", "grid", "user", "host"]
    cells = [*fields, *(f"config:{text}" for text in SHORT), *(f"metric:{text}.max" for text in SHORT)]
    go(split="1.000", cols=json.dumps([[cell, 0, 0] for cell in cells]))

    assert harm(blank) == []
    table = blank.locator(".table")
    for left in range(0, 6000, 1000):
        table.evaluate("(element, left) => { element.scrollLeft = left; }", left)
        blank.wait_for_timeout(100)
        assert harm(blank) == []
    go(group="section." + TEXTS[0])
    assert harm(blank) == []
    blank.locator(".fold").first.click()
    assert harm(blank) == []


def test_menus_show_hostile_text_as_text(page: "Page") -> None:
    for button in ("columns", "group", "views"):
        page.get_by_role("button", name=button).first.click()
        page.wait_for_timeout(300)
        assert harm(page) == []
        page.keyboard.press("Escape")
    page.locator(".project-switch").first.click()
    page.wait_for_timeout(200)
    assert harm(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("config")
    page.wait_for_selector(".filter-menu .menu-item")
    assert harm(page) == []
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert harm(page) == []


def test_the_other_pages_show_hostile_text_as_text(page: "Page") -> None:
    for name in ("Queue", "Morning", "Projects", "Disk"):
        page.get_by_role("link", name=name).click()
        page.get_by_role("main", name=name).get_by_role("heading").first.wait_for()
        page.wait_for_timeout(1000)
        assert harm(page) == []


def test_the_big_screen_shows_hostile_text_as_text(page: "Page") -> None:
    page.goto(page.url.split("#")[0] + "?screen=1")
    page.locator(".screen").wait_for()
    page.wait_for_timeout(1000)

    assert harm(page) == []


def test_hostile_text_can_be_typed(page: "Page") -> None:
    for text in SHORT:
        page.keyboard.press("Escape")
        name = page.locator(".row.run .name").first
        name.dblclick()
        page.locator(".editor").fill(text)
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
        name.hover()
        assert harm(page) == []
        page.get_by_label("Metrics to show, a regular expression").fill(" ".join(text.split()))
        page.wait_for_timeout(100)
        assert harm(page) == []


def test_a_hostile_view_leads_nowhere(page: "Page") -> None:
    before = page.url.split("#")[0]
    views: list[Any] = [
        {"hash": "javascript:window.planted=1"},
        {"hash": "//example.org/"},
        {"hash": 7},
        {"view": None},
    ]
    for number, view in enumerate(views):
        name = f"{TEXTS[1]} {number}"
        address = f"{before}api/v1/views/{quoted(name)}"
        headers = {"X-Runyard": "1", "Content-Type": "application/json"}
        request = urllib.request.Request(address, data=json.dumps(view).encode(), method="PUT", headers=headers)
        with urllib.request.urlopen(request, timeout=10):
            pass
        page.get_by_role("button", name="views").click()
        page.wait_for_timeout(200)
        link = page.get_by_role("link", name=name, exact=True)
        if link.count():
            link.first.click()
        assert harm(page) == []
        assert page.url.split("#")[0] == before
        page.keyboard.press("Escape")


def test_downloads_have_safe_names_and_no_formulas(page: "Page", hostile: Hostile, go: Callable[..., None]) -> None:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="csv", exact=True).first.click()
    safe_name(waiting.value.suggested_filename)
    with Path(waiting.value.path()).open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "@", "\t", "\r"}]

    for text in ("=cmd|' /C calc'!A0", "../../etc/passwd", LONG):
        go(tab="overview", sel=f"{hostile.ids[TEXTS.index(text)]}~0")
        with page.expect_download() as waiting:
            page.locator("a[download]").first.click()
        safe_name(waiting.value.suggested_filename)
    go(tab="charts", sel=f"{hostile.ids[1]}~0")
    card = page.locator(".chart-card").first
    card.locator("header").hover()
    for what in ("csv", "png"):
        with page.expect_download() as waiting:
            card.get_by_role("button", name=what).click()
        safe_name(waiting.value.suggested_filename)
    assert harm(page) == []


def safe_name(name: str) -> None:
    assert 0 < len(name) <= 255
    assert not set(name) & set('/\\:<>"|?*\x00\x1b\n\r\u202e\u2066\u200b')
    assert not name.startswith((".", "-", "=", "~"))


def test_a_phone_shows_hostile_text_as_text(blank: "Page", go: Callable[..., None]) -> None:
    blank.set_viewport_size({"width": 390, "height": 844})
    for tab in ("charts", "overview", "diff", "media"):
        go(tab=tab)
        assert harm(blank) == []
