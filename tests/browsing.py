"""A real Chromium, and a page on which every error counts, a request to another machine above all."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = (
    "chromium-headless-shell",  # the same engine without the browser's own windows: half the time
    *("chromium", "chromium-browser", "google-chrome"),
)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        yield browser
        browser.close()


class Visit:
    """A page and all that went wrong on it."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.wrong: list[str] = []
        self.is_server_away = False
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._on_request)

    def _on_console(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"} and not self.is_server_away:
            self.wrong.append(f"{message.type}: {message.text} {message.location}")

    def _on_request(self, request: "Request") -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1":
            self.wrong.append(f"outside request: {request.url}")


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    found = Visit(context.new_page())
    yield found
    context.close()
    assert not found.wrong, found.wrong  # told here: pytest rewrites no asserts in this file
