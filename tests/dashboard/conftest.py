"""A real server, a real Chromium, and a page on which every error counts."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
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
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_START_S = 30.0


@dataclass
class Server:
    """`runyard ui` of one home, as a person starts it."""

    home: Path
    port: int
    process: "subprocess.Popen[str] | None" = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [sys.executable, "-m", "runyard.cli.main", "ui", "--no-browser", "--port", str(self.port)]
        source = Path(__file__).parents[2] / "src"
        environment = os.environ | {"RUNYARD_HOME": str(self.home), "PYTHONPATH": str(source), "COLUMNS": "200"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert self.process.stdout is not None
        seen = ""
        for line in self.process.stdout:
            seen += line
            if self.address in line:
                break
        else:
            raise AssertionError(f"The server ended at once: {seen}")
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.address}api/v1/projects", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("The server does not answer.")

    def stop(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.terminate()
        self.process.stdout.close()
        self.process.wait(20)


def _free_port() -> int:
    """One that the system has just handed out, so that parallel tests do not meet."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    started: list[Server] = []

    def start(home: Path) -> Server:
        server = Server(home, _free_port())
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


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
    assert found.wrong == []
