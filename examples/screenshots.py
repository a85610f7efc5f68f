"""`make screenshots`: pictures of every page of the dashboard, light and dark, in docs/images.

Needs Chromium and Playwright (`pip install playwright`). The home is the one that the tests of the page use.
"""

import argparse
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.server import choose_port, create_app
from runyard.server.running import Server
from tests.server import demo_home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
DESK, LAPTOP, PHONE, WALL = (1440, 900), (1280, 800), (390, 844), (1920, 1080)
SETTLE_MS = 1500  # curves are asked for, drawn, and have stopped moving


def groups(page: "Page") -> None:
    """Fold the seeds and compare the best settings."""
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.wait_for_selector(".row.group")
    page.locator(".head-cell", has_text="val/accuracy").locator("button").click()
    page.wait_for_timeout(SETTLE_MS)
    for number in (0, 3, 6):
        page.locator(".row.group .pick").nth(number).click()


def nothing(_page: "Page") -> None:
    """As it opens."""


SHOTS: list[tuple[str, tuple[int, int], str, Callable[["Page"], None]]] = [
    ("charts", DESK, "#/p/weld-seam", groups),
    ("runs", DESK, "#/p/weld-seam?split=1.000", nothing),
    ("laptop", LAPTOP, "#/p/paint-check", nothing),
    ("overview", DESK, "#/p/weld-seam?tab=overview", nothing),
    ("diff", DESK, "#/p/weld-seam?tab=diff", nothing),
    ("grid", DESK, "#/p/weld-seam?tab=grid", nothing),
    ("parameters", DESK, "#/p/weld-seam?tab=parameters", nothing),
    ("media", DESK, "#/p/weld-seam?tab=media", nothing),
    ("output", DESK, "#/p/weld-seam?tab=output", nothing),
    ("system", DESK, "#/p/weld-seam?tab=system", nothing),
    ("queue", DESK, "#/queue", nothing),
    ("morning", DESK, "#/morning", nothing),
    ("disk", DESK, "#/disk", nothing),
    ("screen", WALL, "#/screen", nothing),
    ("phone", PHONE, "#/p/weld-seam", nothing),
]


def main() -> int:
    """Take the pictures that were asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these: " + ", ".join(name for name, *_ in SHOTS))
    wanted = parser.parse_args().names
    from playwright.sync_api import sync_playwright  # here, so that --help needs no browser

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("Chromium is missing. Install it: apt-get install chromium", file=sys.stderr)
        return 2
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        demo_home.make(home).client.close()
        listener = choose_port(None)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        is_ready = threading.Event()
        server = Server(create_app(home), on_ready=is_ready.set)
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
        if not is_ready.wait(60):
            print("The dashboard did not start.", file=sys.stderr)
            return 1
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            for name, size, place, prepare in SHOTS:
                if not wanted or name in wanted:
                    for scheme in ("light", "dark"):
                        take(browser, name, size, address + place, prepare, scheme)
            browser.close()
    return 0


def take(
    browser: "Browser", name: str, size: tuple[int, int], address: str, prepare: Callable[["Page"], None], scheme: str
) -> None:
    """One picture: docs/images/dashboard-NAME-SCHEME.png."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".row.run, .row.group, .page h1, .screen h1")
    page.wait_for_selector(".live.on")
    page.wait_for_timeout(SETTLE_MS)
    prepare(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=IMAGES / f"dashboard-{name}-{scheme}.png")
    print(f"docs/images/dashboard-{name}-{scheme}.png")
    context.close()


if __name__ == "__main__":
    sys.exit(main())
