"""The real Omniboard shows what a mirror writes, and what is edited there comes back.

It is 500 MB of npm packages, so it is looked for where RUNYARD_TEST_OMNIBOARD says: a folder in which somebody called
`npm install --ignore-scripts omniboard@2.16.1`. Screenshots stay in the folder of RUNYARD_TEST_SCREENSHOTS, if given.
"""

import os
import select
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from runyard.bridges.intake import Foreign, begin
from runyard.bridges.sacred.mirroring import Mirror
from runyard.client import Client
from runyard.records import RunState
from tests.neighbours.sacred.running import free_port

FOLDER = os.environ.get("RUNYARD_TEST_OMNIBOARD", "")
BEGAN = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)

if not FOLDER:
    pytest.skip("only where RUNYARD_TEST_OMNIBOARD names an installed Omniboard", allow_module_level=True)

pytestmark = [pytest.mark.slow]


@pytest.fixture
def omniboard(mongo: str, db: Any) -> Iterator[str]:
    """The address of an Omniboard that shows the test's database."""
    port = free_port()
    command = [
        f"{FOLDER}/node_modules/.bin/omniboard",
        "-m",
        f"{mongo.removeprefix('mongodb://').rstrip('/')}:{db.name}",
    ]
    process = subprocess.Popen(
        command, env={**os.environ, "PORT": str(port)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    uri = f"http://127.0.0.1:{port}/sacred"
    try:
        deadline = monotonic() + 60
        while not _answers(f"{uri}/api/v1/Runs/count"):
            assert monotonic() < deadline, "Omniboard did not answer within a minute"
            assert process.poll() is None, "Omniboard ended"
            select.select([], [], [], 0.1)  # it tells nobody when it is ready
        yield uri
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(uri, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def a_run(client: Client, number: int, state: RunState) -> str:
    """A run with all that Omniboard shows; one that is QUEUED has not begun."""
    began = None if state is RunState.QUEUED else BEGAN
    foreign = Foreign(
        source=f"t:{number}",
        project="weld",
        name=f"run {number}",
        created_at=BEGAN + timedelta(minutes=number),
        started_at=began,
        config={"lr": 0.1 * number},
        tags=("ours",),
    )
    with begin(client, foreign) as run:
        if began is not None:
            times = [int((BEGAN + timedelta(seconds=each)).timestamp()) * 10**9 for each in range(50)]
            run.points("val/loss", range(50), [1 / (step + number) for step in range(50)], times)
            run.file("report.txt", b"all is well", at=BEGAN)
            run.output("epoch 1\n", at=BEGAN)
            run.end(state, at=BEGAN + timedelta(minutes=9))
    return run.id


def test_omniboard_shows_runs_and_its_edits_come_back(omniboard: str, mongo: str, db: Any, client: Client) -> None:
    states = (RunState.COMPLETED, RunState.TIMED_OUT, RunState.QUEUED)
    ids = [a_run(client, number, state) for number, state in enumerate(states, start=1)]
    errors: list[str] = []
    with closing(Mirror(client, mongo + db.name)) as mirror, sync_playwright() as playwright:
        mirror.look()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 800})
        page.on("pageerror", lambda error: errors.append(str(error)))

        page.goto(omniboard)
        for text in ("COMPLETED", "TIMEOUT", "QUEUED", "ours"):
            page.wait_for_selector(f"text={text}")
        _shot(page, "table")
        with page.expect_response(lambda answer: answer.request.method == "PUT"):
            # the tags of the newest run: its field follows the three of the filters
            field = page.locator(".table-cell input[id^=react-select], [id^=react-select-4]").first
            field.focus()
            field.press_sequentially("edited")
            field.press("Enter")
        _shot(page, "edited")

        page.goto(f"{omniboard}?showDrillDownRunModal=true&runIdToExpand=1&runIdStatus=COMPLETED")
        page.wait_for_selector(".js-line")  # of Plotly's chart
        _shot(page, "chart")
        page.locator("text=Artifacts").first.click()
        page.wait_for_selector("text=artifact://runs/1/report.txt")
        _shot(page, "artifacts")
        page.goto(f"{omniboard}?showDrillDownRunModal=true&runIdToExpand=3&runIdStatus=QUEUED")
        page.locator("text=Artifacts").first.click()  # where Sacred's own queued runs end the page
        page.wait_for_selector("text=Source Files")
        _shot(page, "queued")
        browser.close()
        assert mirror.look().edited == 1

    assert errors == []
    assert client.index.get(ids[2]).tags == ("edited", "ours")
    assert client.index.get(ids[0]).tags == ("ours",)


def _shot(page: Page, name: str) -> None:
    if folder := os.environ.get("RUNYARD_TEST_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"omniboard-{name}.png")
