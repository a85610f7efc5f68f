"""The customer's page as a customer opens it: `runyard demo open`, and a real browser on which every error counts."""

import http.client
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runyard.apps.evaluation import Costs, Doubts, Scored
from runyard.apps.words import Words
from runyard.tracking.media.image import encode_image
from tests.apps import showroom
from tests.apps.seams import inspected, pictures
from tests.browsing import Visit
from tests.cli.builders import environment

COSTS = Costs.of({"missed defect": 120, "false alarm": 4}, "€ per 1000 parts")

pytestmark = pytest.mark.slow
pytest.importorskip("streamlit", reason="needs Streamlit: pip install streamlit")


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    folder = showroom.build(tmp_path / "demo")
    settings = folder / "app" / ".streamlit" / "config.toml"
    settings.parent.mkdir()
    settings.write_text("[server]\nenableCORS = false\nenableXsrfProtection = false\naddress = '0.0.0.0'\n")
    return folder


@pytest.fixture
def address(demo: Path, tmp_path: Path) -> Iterator[str]:
    """Where the page is served."""
    process = subprocess.Popen(
        [sys.executable, "-m", "runyard", "demo", "open", str(demo), "--no-browser"],
        env=environment(tmp_path / "home"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert found
        yield found[0]
    finally:
        process.terminate()
        process.stdout.close()
        assert process.wait(60) == 0


def choose(visit: Visit, page: str, heading: str) -> None:
    while not visit.page.evaluate("[...document.images].every(each => each.complete)"):
        visit.page.wait_for_timeout(20)  # Streamlit forgets the pictures of a page that somebody leaves
    visit.page.locator('[data-testid="stRadio"] label', has_text=page).click()
    visit.page.get_by_role("heading", name=heading).wait_for()


def test_a_customer_clicks_through_all_pages(visit: Visit, demo: Path, address: str, tmp_path: Path) -> None:
    page = visit.page
    page.goto(address)
    page.get_by_role("heading", name="Try it").wait_for(timeout=60_000)
    picture = tmp_path / "<b>mine.png"
    picture.write_bytes(encode_image(pictures(1)[0][0])[0])

    page.locator('input[type="file"]').set_input_files(picture)
    page.get_by_text("probability").wait_for()
    assert page.get_by_text("<b>mine.png").count() > 0
    page.locator("img").first.wait_for()

    choose(visit, "Where to draw the line", "Where to draw the line")
    page.get_by_role("button", name="Use the cheapest").click()
    best = Scored(inspected(skill=1.3), 1).curve(COSTS)
    page.get_by_text(Words().amount(best.best_cost, "€"), exact=True).wait_for()

    choose(visit, "What it gets wrong", "What it gets wrong")
    page.locator('[data-testid="stCheckbox"] label', has_text="label is wrong").first.click()
    page.get_by_text("Labels in doubt: 1").wait_for()
    assert len(Doubts(demo / "labels-in-doubt.csv").all()) == 1

    choose(visit, "Old and new", "Old and new")
    page.get_by_text("weld-lr0.01 is better").wait_for()

    choose(visit, "Take it with you", "Take it with you")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as one file").click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    (threshold,) = re.findall(r'type="range".*?value="([^"]+)"', report)
    assert float(threshold) == pytest.approx(best.best, abs=0.001)
    assert "Demo GmbH" in report
    page.close()  # before the server goes away


def test_a_page_of_another_site_cannot_look_over_the_customers_shoulder(demo: Path, address: str) -> None:
    """Not even if a file of settings in the demo's folder allows it."""
    port = urlsplit(address).port
    own, foreign = f"http://127.0.0.1:{port}", "http://evil.example"

    statuses = {origin: status_of_socket(port, origin) for origin in (own, foreign, f"http://evil.example:{port}")}
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Origin": foreign}), timeout=30) as page:
        allowed = page.headers.get("Access-Control-Allow-Origin")

    assert statuses == {own: 101, foreign: 403, f"http://evil.example:{port}": 403}
    assert allowed is None


def status_of_socket(port: int | None, origin: str) -> int:
    """The answer to a page of `origin` that wants what the customer's page gets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Origin": origin}
    connection.request("GET", "/_stcore/stream", headers=asked | {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    status = connection.getresponse().status
    connection.close()
    return status
