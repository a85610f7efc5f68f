"""How fast does the dashboard draw 100 runs of 100,000 points on one card, in a browser?

    python -m benchmarks.dashboard_charts [--runs 100] [--points 100000] [--home FOLDER]

`--home` keeps the runs for the next time.
"""

import argparse
import tempfile
import urllib.request
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks._browser import a_page, browsing, serving, show, show_motion
from benchmarks.index_queries import a_spec, write_run
from runyard.client import open_client
from runyard.journal import Home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

METRIC = "val/loss"

# When each answer of the server arrived, and when the frame was handed over that shows it first.
LISTEN = """
window.asked_ = [];
const fetch_ = window.fetch;
window.fetch = async (address, init) => {
  if (!String(address).endsWith("/series")) return fetch_(address, init);
  const began = performance.now();
  const response = await fetch_(address, init);
  const bytes = await response.arrayBuffer();
  const arrived = performance.now();
  window.asked_.push({ server: arrived - began, arrived, size: bytes.byteLength, draw: null });
  return new Response(bytes, { status: response.status, headers: response.headers });
};
const stroke_ = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function (...path) {
  const latest = window.asked_.at(-1);
  if (latest && latest.draw === null && this.canvas.className.includes("plot-canvas")) {
    latest.draw = NaN;
    window.painted_().then((at) => (latest.draw = at - latest.arrived));
  }
  return stroke_.apply(this, path);
};
"""

# What the answer with this number took, once it is drawn.
TOOK = """async (number) => {
  await window.until_(() => window.asked_.length > number && window.asked_[number].draw > 0);
  return window.asked_[number];
}"""

# Moves the pointer over the card once per frame, as a hand does.
HOVER = """async ([metric, seconds]) => {
  const card = [...document.querySelectorAll(".chart-card")].find((each) => each.dataset.metric === metric);
  const over = card.querySelector(".u-over");
  const box = over.getBoundingClientRect();
  window.startClock_();
  const until = performance.now() + seconds * 1000;
  for (let i = 0; performance.now() < until; i += 1) {
    const clientX = box.left + ((i * 7) % box.width);
    const clientY = box.top + box.height * (0.5 + 0.4 * Math.sin(i / 20));
    over.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY, pointerType: "mouse" }));
    await new Promise(requestAnimationFrame);
  }
  over.dispatchEvent(new PointerEvent("pointerleave", { bubbles: true }));
  return window.stopClock_();
}"""


def fill(path: Path, *, runs: int, points: int) -> list[str]:
    """Runs with folders and journals, indexed; their ids."""
    home = Home.open(path)
    specs = [a_spec(number) for number in range(1, 4 * runs) if number % 4][:runs]  # all of one project
    if not (path / f"filled-{runs}-{points}").exists():
        for spec in specs:
            write_run(home, spec, points=points)
        client = open_client(home)
        client.reindex()
        client.close()
        (path / f"filled-{runs}-{points}").touch()
    return [spec.id for spec in specs]


def opened(browser: "Browser", address: str, ids: list[str], more: str) -> "Page":
    """The card alone, with these runs."""
    page = a_page(browser, LISTEN)
    chosen = "+".join(f"{run}~{number % 7}" for number, run in enumerate(ids))
    page.goto(f"{address}#/p/weld?sel={chosen}&re=^{METRIC}$&split=0.250{more}")
    return page


def measure(browser: "Browser", address: str, ids: list[str]) -> None:
    """Fetch and draw, zoom, and hover; as a band, and every curve for itself."""
    for what, more in (("one band", ""), ("each for itself", "&band=each")):
        name = f"{len(ids)} curves, {what}"
        found: list[dict[str, Any]] = []
        for _ in range(6):
            page = opened(browser, address, ids, more)
            found.append(page.evaluate(TOOK, 0))
            page.context.close()
        show(f"{name}: asked to arrived", [each["server"] for each in found[1:]], "goal 150 ms")
        show(f"{name}: arrived to drawn", [each["draw"] for each in found[1:]], "goal 100 ms")
        page = opened(browser, address, ids, more)
        with page.expect_request("**/series") as asked:
            page.reload()
        page.evaluate(TOOK, 0)
        alone = [asked_alone(asked.value) for _ in range(11)][1:]
        show(f"{name}: asked without a browser", alone, "goal 150 ms")
        page.wait_for_timeout(1500)
        show_motion(f"{name}: the pointer over them", page.evaluate(HOVER, [METRIC, 5]), "goal 60 /s")
        zooms = [zoomed(page, 0.1 + 0.1 * number) for number in range(6)][1:]
        show(f"{name}: zoomed, asked to arrived", [each["server"] for each in zooms], "goal 150 ms")
        show(f"{name}: zoomed, arrived to drawn", [each["draw"] for each in zooms], "goal 100 ms")
        with page.expect_request("**/series") as asked:
            zoomed(page, 0.7)
        alone = [asked_alone(asked.value) for _ in range(11)][1:]
        show(f"{name}: zoomed, asked without a browser", alone, "goal 150 ms")
        page.context.close()


def asked_alone(request: "Request") -> float:
    """Milliseconds from the question to the last byte of the server's answer."""
    again = urllib.request.Request(request.url, request.post_data_buffer, dict(request.headers))
    began = perf_counter()
    with urllib.request.urlopen(again) as answer:
        answer.read()
    return (perf_counter() - began) * 1000


def zoomed(page: "Page", begin: float) -> dict[str, Any]:
    """A tenth of the whole axis, from a share of its width on."""
    over = page.locator(f'.chart-card[data-metric="{METRIC}"] .u-over')
    over.dblclick(position={"x": 5, "y": 5})
    page.wait_for_selector(".card-reset", state="detached")
    page.wait_for_timeout(500)
    box = over.bounding_box()
    assert box
    number = page.evaluate("window.asked_.length")
    page.mouse.move(box["x"] + box["width"] * begin, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (begin + 0.1), box["y"] + 50, steps=3)
    page.mouse.up()
    found: dict[str, Any] = page.evaluate(TOOK, number)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="where the runs are kept for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or Path(folder)
        ids = fill(home, runs=arguments.runs, points=arguments.points)
        print(f"{len(ids)} runs of {arguments.points:,} points, 4 metrics", flush=True)
        with serving(home) as address, browsing() as browser:
            measure(browser, address, ids)


if __name__ == "__main__":
    main()
