"""The files of the page: kept by browsers for as long as they stay the same, and announced before they are needed."""

import asyncio
import base64
import hashlib
import re
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from runyard.server.pages import FOLDER, Pages
from tests.server.serving import Served

_LINKED = re.compile(r'(?:href|src)="([^"#]+)"')


def test_everything_that_the_page_names_is_there_for_good(shared: Served) -> None:
    page = shared.http.get("/")

    names = [name for name in _LINKED.findall(page.text) if not name.startswith("#")]
    assert page.headers["cache-control"] == "no-cache"
    assert len(names) > 50
    for name in names:
        found = shared.http.get(f"/{name}")
        assert found.status_code == 200, name
        assert "immutable" in found.headers["cache-control"]
        assert found.headers["x-content-type-options"] == "nosniff"


def test_a_module_is_announced_with_all_that_it_imports(shared: Served) -> None:
    page = shared.http.get("/").text

    now = re.findall(r'<link rel="modulepreload" href="[0-9a-f]+/([^"]+)"', page)
    later = re.findall(r'<link rel="later" href="[0-9a-f]+/([^"]+)"', page)
    assert len(now + later) == len({*now, *later})
    assert now[0] == "first-rows.js"
    assert {"question.js", "app.js", "rows.js", "vendor/preact.mjs", "vendor/signals-core.mjs"} <= set(now)
    assert {"panels/charts.js", "vendor/uPlot.mjs"} <= set(later)
    assert not {"panels/diff.js", "pages/queue.js"} & {*now, *later}


@pytest.mark.parametrize(
    ("rule", "tag", "count"),
    [
        ("script-src", r'<script(?: type="importmap")?>(.+?)</script>', 2),  # what starts first, and the import map
        ("style-src", r"<style>(.+?)</style>", 4),  # what the first picture needs
    ],
)
def test_only_what_stands_in_the_page_itself_may_run_or_change_its_looks(
    shared: Served, rule: str, tag: str, count: int
) -> None:
    page = shared.http.get("/")

    policy = page.headers["content-security-policy"]
    (sources,) = [text for text in policy.split("; ") if text.startswith(rule)]
    inline = re.findall(tag, page.text, re.DOTALL)
    assert len(inline) == count
    assert "unsafe" not in policy
    digests = {base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in inline}
    assert set(re.findall(r"'sha256-([^']+)'", sources)) == digests


def test_the_page_asks_for_data_at_once_where_it_will_be_let_in() -> None:
    team, own = Pages(has_accounts=True), Pages(has_accounts=False)

    stranger = _answer(_get(team, "/")).text
    member = _answer(_get(team, "/", {"cookie": "runyard-session=abc"})).text
    alone = _answer(_get(own, "/")).text

    assert 'data-door="open"' not in stranger
    assert 'data-door="open"' in member
    assert alone == member


@pytest.mark.parametrize("path", ["/000000000000/app.js", "/styles", "/styles/", "/app.js/", "/../pages.py", "/x"])
def test_nothing_else_has_an_address(shared: Served, path: str) -> None:
    status, body = shared.raw("GET", path)

    assert status == 404
    assert b'"error"' in body


def test_a_plain_name_is_asked_for_each_time(shared: Served) -> None:
    found = shared.http.get("/app.js")

    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["content-type"].startswith("text/javascript")


async def _get(pages: Pages, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    app = Starlette()
    app.mount("/", pages)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        return await client.get(path, headers=headers)


def _answer(question: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """In a thread of its own: a browser that another test drives has an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, question).result()


def test_a_changed_file_gets_another_address(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "page")
    pages = Pages(tmp_path / "page")
    before = _answer(_get(pages, "/")).text
    with (tmp_path / "page" / "format.js").open("a") as file:
        file.write("// another\n")

    after = _answer(_get(pages, "/")).text

    name = re.findall(r'src="([^"]+)"', after)[0].rpartition("/")[0]
    assert before != after
    assert "// another" in _answer(_get(pages, f"/{name}/format.js")).text


def test_a_page_of_runs_need_not_wait_for_their_number(served: Served) -> None:
    query = 'state == "COMPLETED"'

    first = served.get("/runs", query=query, count="false", limit=5)
    counted = served.get("/runs", query=query, limit=5)
    again = served.get("/runs", query=query, count="false", limit=5)

    assert first["total"] is None
    assert first["runs"] == counted["runs"]
    assert again["total"] == counted["total"] > 5
