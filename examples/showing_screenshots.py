"""`make screenshots`: pictures of the customer's page and of a report, in docs/images.

Needs Chromium, Playwright and Streamlit. The welds are those of the tests: nobody ever welded them.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.apps.evaluation import Costs
from runyard.apps.report import build_report
from tests.apps import showroom
from tests.apps.builders import options, subject
from tests.apps.seams import inspected

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PAGES = ("try", "threshold", "errors", "compare")
SETTLE_MS = 2500  # fonts are there, pictures have arrived
COSTS = Costs.of({"missed defect": 120, "false alarm": 4}, "€ per 1000 parts")


def main() -> int:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("Chromium is missing. Install it: apt-get install chromium", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        report(browser, Path(folder))
        demo = showroom.build(Path(folder) / "demo")
        process = subprocess.Popen(
            [sys.executable, "-m", "runyard", "demo", "open", str(demo), "--no-browser"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            pages(browser, found[0])
        finally:
            process.terminate()
            process.wait()
        browser.close()
    return 0


def pages(browser: "Browser", address: str) -> None:
    """docs/images/show-NAME.png."""
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(address)
    page.get_by_role("heading", name="Try it").wait_for(timeout=60_000)
    page.locator('[data-testid="stMultiSelect"] input').click()
    page.get_by_role("option", name="seam-0.png").click()
    page.keyboard.press("Escape")
    page.get_by_text("probability").wait_for()
    for number, name in enumerate(PAGES):
        page.locator('[data-testid="stRadio"] [role="radiogroup"] label').nth(number).click()
        page.wait_for_timeout(SETTLE_MS)
        page.screenshot(path=IMAGES / f"show-{name}.png")
        print(f"docs/images/show-{name}.png")


def report(browser: "Browser", folder: Path) -> None:
    """docs/images/report.png, and report-print.png as paper shows it."""
    made = build_report(
        [subject(inspected(skill=1.3))],
        options(costs=COSTS),
        second=subject(inspected(skill=0.6), name="weld-2025"),
    )
    path = folder / "report.html"
    path.write_text(made.html, encoding="utf-8")
    page = browser.new_context(viewport={"width": 1280, "height": 1240}).new_page()
    page.goto(path.as_uri())
    page.screenshot(path=IMAGES / "report.png")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 962})  # A4 without its margins, at 96 dots an inch
    page.screenshot(path=IMAGES / "report-print.png")
    print("docs/images/report.png, report-print.png")


if __name__ == "__main__":
    sys.exit(main())
