"""The files of the page: kept by browsers for as long as they stay the same, and announced before they are needed."""

import asyncio
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

    announced = re.findall(r'<link rel="modulepreload" href="[0-9a-f]+/([^"]+)">', page)
    assert len(announced) == len(set(announced))
    assert announced[0] == "app.js"
    assert {"rows.js", "vendor/preact.mjs", "vendor/signals-core.mjs", "vendor/uPlot.mjs"} <= set(announced)
    assert "panels/diff.js" not in announced


@pytest.mark.parametrize("path", ["/000000000000/app.js", "/styles", "/styles/", "/app.js/", "/../pages.py", "/x"])
def test_nothing_else_has_an_address(shared: Served, path: str) -> None:
    status, body = shared.raw("GET", path)

    assert status == 404
    assert b'"error"' in body


def test_a_plain_name_is_asked_for_each_time(shared: Served) -> None:
    found = shared.http.get("/app.js")

    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["content-type"].startswith("text/javascript")


async def _get(pages: Pages, path: str) -> httpx.Response:
    app = Starlette()
    app.mount("/", pages)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        return await client.get(path)


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
