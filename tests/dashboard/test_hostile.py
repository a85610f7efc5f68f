"""Text of users does no harm anywhere: nothing of it runs, the layout stays, and downloads have safe names.

A page is opened on runs whose every text is hostile: names, tags, notes, metrics, settings and their values, files, media,
output, errors, grids, hosts and users. A planted script would set `window.planted`.
"""

import csv
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runyard.client import Client, open_client
from runyard.client.trash import put
from runyard.journal import HOST, MAIN, JournalWriter
from runyard.journal.events import (
    ArtifactStored,
    Ended,
    Environment,
    Failed,
    Media,
    Output,
    Progress,
    Started,
    Warned,
)
from runyard.records import RunId, RunSpec, new_run_id
from runyard.tracking.media.confusion_matrix import encode_predictions
from runyard.tracking.media.image import encode_image
from runyard.tracking.media.table import encode_table
from tests.dashboard.conftest import Server, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

LONG = "<b>long</b>" + "x" * 100_000
TEXTS = (
    "<script>window.planted=1</script>",
    "\"'><img src=x onerror=window.planted=1>",
    "javascript:window.planted=1",
    "</style><svg onload=window.planted=1>",
    "\u202egnp.exe\u2066 right to left \u05d0\u05d1",
    "zero\u200bwidth\u200d\ufeff",
    "\N{SMILING FACE WITH HORNS}\N{WOMAN}\u200d\N{ROCKET}" * 20,
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    "{{7*7}} ${7*7} <%= 7*7 %> #{7*7}",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "__proto__",
    "%00%0a%E0%A4%A",
    "a,b\\,c;d\tnew\nline\r",
    LONG,
)
PROJECT = "\"'><img src=x onerror=window.planted=1> \u202e<script>window.planted=1</script>"
SHORT = [text for text in TEXTS if len(text) < 200]

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""
# What is wrong with the page as it is now.
HARM = """() => {
  const wrong = [];
  if (window.planted !== undefined) wrong.push("a script ran");
  wrong.push(...window.violations);
  const foreign = document.querySelectorAll("img[src=x], svg[onload], #app script, #app style, [onerror], a[href^=javascript]");
  if (foreign.length) wrong.push(`text became an element: ${foreign[0].outerHTML.slice(0, 200)}`);
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) wrong.push(`the page is ${scrollWidth} wide in ${clientWidth}`);
  for (const element of document.querySelectorAll(".page, .panel-body, .panel-charts")) {
    const most = element.matches(".panel-diff") ? 3000 : element.clientWidth + 1; // many runs beside each other
    if (element.scrollWidth > most) wrong.push(`${element.className} is ${element.scrollWidth} wide in ${element.clientWidth}`);
  }
  const most = { ".rows .row": 29, ".head-cell": 29, ".chart-card header": 26, ".section-head": 40, ".tabs": 48, ".top": 130, ".list-row": 160, "figcaption": 40, ".diff-key": 130 };
  for (const [selector, height] of Object.entries(most)) {
    for (const element of document.querySelectorAll(selector)) {
      const box = element.getBoundingClientRect();
      if (box.height > height) wrong.push(`${selector} is ${box.height} high: ${element.textContent.slice(0, 60)}`);
    }
  }
  return wrong;
}"""


@dataclass
class Hostile:
    """A home full of such text."""

    path: Path
    client: Client
    ids: list[RunId]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    path = tmp_path_factory.mktemp("hostile") / "home"
    client = open_client(path)
    client.refresh()
    specs = [a_spec(text, number, is_queued=False) for number, text in enumerate(TEXTS)]
    waiting = [a_spec(text, number, is_queued=True) for number, text in enumerate(TEXTS)]
    gone = a_spec(TEXTS[0], 99, is_queued=False)
    client.submit([*specs, *waiting, gone])
    for spec, text in zip(specs, TEXTS, strict=True):
        play(client, spec, text)
    play(client, gone, TEXTS[0])
    client.index.catch_up()
    for spec, text in zip(waiting, TEXTS, strict=True):
        client.hold([spec.id], why=text, by=text[:200])
    put(client, [gone.id])
    yield Hostile(path, client, [spec.id for spec in specs])
    client.close()


def a_spec(text: str, number: int, *, is_queued: bool) -> RunSpec:
    return RunSpec(
        id=new_run_id(),
        project=PROJECT,
        name=text,
        created_at=datetime.now(UTC),
        experiment=text,
        grid=text,
        config={text: text, "lr": number, "section": {text: [text, {text: text}]}, "note": text},
        changed={text: text, "lr": number},
        config_id=f"{number:064x}",
        group=f"{number:064x}",
        seed=number,
        tags=(text, "a"),
        note=text,
        user=text,
        host=text,
        project_dir=text.replace("\0", ""),
        data=text,
        command=(text, text),
        is_queued=is_queued,
    )


def play(client: Client, spec: RunSpec, text: str) -> None:
    """A failed attempt that logged the text wherever text can be logged."""
    attempt = client.folder(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    now = time.time_ns() - 60_000_000_000
    host = JournalWriter(attempt.journal(HOST), run=spec.id, attempt=1, stream=HOST)
    main = JournalWriter(attempt.journal(MAIN), run=spec.id, attempt=1, stream=MAIN)
    host.event(
        Started(time_ns=now, host=text, user=text, pid=1, devices=(text,), device_names=(text,), command=(text,))
    )
    host.event(
        Environment(time_ns=now, python=text, platform=text, driver=text, packages={text: text}, variables={text: text})
    )
    host.event(Output(time_ns=now, text=f"{text}\nbefore\rafter {text}\x07\n"))
    keys = (text, f"{text}/{text}" if len(text) < 1000 else "long/key", "loss", "sys/cpu_percent")
    schema = main.declare(keys)
    main.append(b"".join(schema.encode(step, now + step, [step * 0.5] * len(keys)) for step in range(20)))
    main.event(Progress(time_ns=now, done=1, total=2, label=text))
    main.event(Warned(time_ns=now, text=text))
    log_media(main, text, now)
    sha256 = client.artifacts.put_bytes(b"<script>window.planted=1</script>")
    host.event(ArtifactStored(time_ns=now, name=text, sha256=sha256, size_bytes=33, kind=text))
    main.event(Failed(time_ns=now, type=text, message=text, traceback=f"{text}\n  {text}", fingerprint=text[:64]))
    host.event(Ended(time_ns=now, state="FAILED", reason=text, exit_code=1))
    main.close()
    host.close()


def log_media(main: JournalWriter, text: str, now: int) -> None:
    picture, meta = encode_image([[0, 255], [255, 0]])
    table, table_meta = encode_table([{text: text, "n": 1}])
    matrix, matrix_meta = encode_predictions([0, 1], [1, 1], labels=[text, "b"])
    for kind, mime, data, found in (
        ("image", "image/png", picture, meta | {"caption": text}),
        ("table", "application/json", table, table_meta),
        ("confusion_matrix", "application/json", matrix, matrix_meta),
        ("text", "text/plain", text.encode(), {"caption": text}),
        ("text", "text/html", text.encode(), {}),
        (text[:50], "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.planted=1'/>", {}),
    ):
        main.event(Media(time_ns=now, key=text, step=1, kind=kind, mime=mime, data=data, meta=found))


@pytest.fixture
def page(hostile: Hostile, serve: Callable[..., Server], visit: Visit) -> "Page":
    server = serve(hostile.path)
    visit.page.add_init_script(WATCH)
    visit.page.on("dialog", lambda dialog: visit.wrong.append(f"dialog: {dialog.message}"))
    visit.page.goto(server.address)
    visit.page.wait_for_selector(".row.run")
    visit.page.wait_for_selector(".live.on")
    return visit.page


def go(page: "Page", hostile: Hostile, **more: str) -> None:
    """The project with all of its runs selected, opened anew as by a link."""
    chosen = " ".join(f"{run}~{number % 7}" for number, run in enumerate(hostile.ids))
    parts = {"sel": chosen} | more
    search = "&".join(f"{name}={quoted(value)}" for name, value in parts.items())
    page.evaluate("(hash) => { location.hash = hash; }", f"#/p/{quoted(PROJECT)}?{search}")
    page.reload()
    page.wait_for_selector(".row.run, .row.group")
    page.wait_for_timeout(700)  # everything that the panel asks for has come


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def harm(page: "Page") -> list[str]:
    found: list[str] = page.evaluate(HARM)
    return found


@pytest.mark.parametrize(
    "tab", ["charts", "overview", "diff", "grid", "parameters", "media", "output", "system"]
)
def test_a_panel_shows_hostile_text_as_text(page: "Page", hostile: Hostile, tab: str) -> None:
    go(page, hostile, tab=tab)

    assert harm(page) == []
    if tab in {"overview", "output"}:
        for run in hostile.ids[1:]:
            go(page, hostile, tab=tab, sel=f"{run}~0")
            assert harm(page) == []


def test_the_table_shows_hostile_text_as_text(page: "Page", hostile: Hostile) -> None:
    fields = ["state", "name", "tags", "note", "reason", "experiment", "grid", "user", "host"]
    cells = [*fields, *(f"config:{text}" for text in SHORT), *(f"metric:{text}.max" for text in SHORT)]
    go(page, hostile, split="1.000", cols=json.dumps([[cell, 0, 0] for cell in cells]))

    assert harm(page) == []
    table = page.locator(".table")
    for left in range(0, 6000, 1000):
        table.evaluate("(element, left) => { element.scrollLeft = left; }", left)
        page.wait_for_timeout(100)
        assert harm(page) == []
    go(page, hostile, group="section." + TEXTS[0])
    assert harm(page) == []
    page.locator(".fold").first.click()
    assert harm(page) == []


def test_menus_show_hostile_text_as_text(page: "Page", hostile: Hostile) -> None:
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


def test_the_other_pages_show_hostile_text_as_text(page: "Page", hostile: Hostile) -> None:
    for name in ("Queue", "Morning", "Disk"):
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=name).first.wait_for()
        page.wait_for_timeout(1000)
        assert harm(page) == []


def test_hostile_text_can_be_typed(page: "Page", hostile: Hostile) -> None:
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


def test_a_hostile_view_leads_nowhere(page: "Page", hostile: Hostile) -> None:
    before = page.url.split("#")[0]
    views: list[Any] = [{"hash": "javascript:window.planted=1"}, {"hash": "//example.org/"}, {"hash": 7}, {"view": None}]
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


def test_downloads_have_safe_names_and_no_formulas(page: "Page", hostile: Hostile) -> None:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="csv", exact=True).first.click()
    safe_name(waiting.value.suggested_filename)
    with Path(waiting.value.path()).open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "@", "\t", "\r"}]

    for text in ("=cmd|' /C calc'!A0", "../../etc/passwd", LONG):
        go(page, hostile, tab="overview", sel=f"{hostile.ids[TEXTS.index(text)]}~0")
        with page.expect_download() as waiting:
            page.locator("a[download]").first.click()
        safe_name(waiting.value.suggested_filename)
    go(page, hostile, tab="charts", sel=f"{hostile.ids[1]}~0")
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


def test_a_phone_shows_hostile_text_as_text(page: "Page", hostile: Hostile) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in ("charts", "overview", "diff", "media"):
        go(page, hostile, tab=tab)
        assert harm(page) == []
