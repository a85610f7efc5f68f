"""How fast is the dashboard with 100,000 runs, in a browser?

    python -m benchmarks.dashboard_runs [--runs 100000] [--home FOLDER]

Every run has its folder and journals and came into the index through `reindex`. `--home` keeps them for the next time.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from benchmarks._browser import a_page, browsing, repeated, serving, show, show_motion
from benchmarks.index_queries import START_NS, a_spec
from runyard.client import open_client
from runyard.journal import Home, JournalWriter
from runyard.journal.events import Ended, Finished, Started
from runyard.records import encode_spec

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KEYS = ("train/loss", "val/loss", "val/accuracy")
POINTS = 5
_MANY_KEYS = 12_000
_SOME_KEYS = 300  # fill the screen with cards just as well

# When the first row was painted, in milliseconds since the navigation began.
FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".row.run .name")) return;
  observer.disconnect();
  window.painted_().then((at) => (window.firstRow_ = at));
}).observe(document, { childList: true, subtree: true });
"""

# Does something to the table, and tells after how many milliseconds the rows that follow from it were painted.
ACT = """async ([what, arg]) => {
  const table = document.querySelector(".table");
  const shown = () => [...table.querySelectorAll(".row")].map((row) => row.id + row.textContent).sort().join("\\n");
  const before = shown();
  const began = performance.now();
  if (what === "sort") {
    [...document.querySelectorAll(".head-button")].find((each) => each.textContent.startsWith(arg)).click();
  } else {
    const input = document.querySelector("#filter");
    input.focus();
    input.value = arg;
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  }
  await window.mutated_(table, () => table.getAttribute("aria-busy") === "false" && shown() !== before);
  return (await window.painted_()) - began;
}"""

# Turns the wheel through the table for some seconds, a bit further at each frame.
SCROLL = """async ([pixels, seconds]) => {
  const table = document.querySelector(".table");
  table.scrollTop = 0;
  await window.painted_();
  window.startClock_();
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    table.scrollTop += pixels;
    await new Promise(requestAnimationFrame);
  }
  return window.stopClock_();
}"""


def fill(path: Path, count: int) -> Home:
    """Finished runs with folders and journals, and two with many metrics; what is there already stays as it is."""
    home = Home.open(path)
    random = np.random.default_rng(0)
    begin = perf_counter()
    is_new = not (path / f"filled-{count}").exists()
    for number in range(count if is_new else 0):
        write(home, number, KEYS, random.random((POINTS, len(KEYS))))
    for number, names in ((count + 1, _MANY_KEYS), (count + 2, _SOME_KEYS)):
        if not home.run(a_spec(number).id).path.exists():
            keys = tuple(f"layer{i // 100}/weight{i % 100}" for i in range(names))
            write(home, number, keys, random.random((3, names)))
            is_new = True
    if not is_new:
        return home
    print(f"{count:,} folders written in {perf_counter() - begin:.0f} s", flush=True)
    begin = perf_counter()
    client = open_client(home)
    client.reindex()
    client.close()
    print(f"and indexed in {perf_counter() - begin:.0f} s", flush=True)
    (path / f"filled-{count}").touch()
    return home


def write(
    home: Home, number: int, keys: tuple[str, ...], values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]"
) -> None:
    """One run that has ended, on the disk."""
    spec = a_spec(number)
    folder = home.run(spec.id)
    attempt = folder.attempt(1)
    attempt.path.mkdir(parents=True)
    folder.spec.write_bytes(encode_spec(spec))
    start_ns = START_NS + number * 1_000_000_000
    host = JournalWriter(attempt.journal("host"), run=spec.id, attempt=1, stream="host")
    host.event(Started(time_ns=start_ns, host="ws1", user="anna", pid=1))
    main = JournalWriter(attempt.journal("main"), run=spec.id, attempt=1, stream="main")
    schema = main.declare(keys)
    end_ns = start_ns + (1 + number * 7919 % 86_243) * 1_000_000_000
    main.append(b"".join(schema.encode(step, start_ns + step, row.tolist()) for step, row in enumerate(values)))
    main.event(Finished(time_ns=end_ns))
    host.event(Ended(time_ns=end_ns, state="COMPLETED" if number % 10 else "FAILED"))
    main.close()
    host.close()


def first_paint(browser: "Browser", address: str, *, is_cold: bool) -> tuple[float, float]:
    """Milliseconds until anything and until the first row was painted; the visit before fills the browser's cache."""
    page = a_page(browser, FIRST_ROW)
    for _ in range(1 if is_cold else 2):
        page.goto(f"{address}#/p/weld")
        page.wait_for_selector(".row.run .name")
        page.wait_for_timeout(700)
        if is_cold:
            break
        page.goto("about:blank")
        page.goto(f"{address}#/p/weld")
        page.wait_for_selector(".row.run .name")
        page.wait_for_timeout(700)
        break
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    rows = page.evaluate("window.firstRow_")
    page.context.close()
    return paint, rows


def measure(browser: "Browser", address: str) -> None:
    """All questions, one after the other, to one server."""
    for what, is_cold in (("empty cache", True), ("a page that was seen before", False)):
        found = [first_paint(browser, address, is_cold=is_cold) for _ in range(6)][1:]
        show(f"first paint, {what}", [each[0] for each in found], "goal 300 ms")
        show("… until the first rows are there", [each[1] for each in found], "goal 300 ms")
    page = a_page(browser)
    page.goto(f"{address}#/p/weld?split=1.000")
    page.wait_for_selector(".row.run .name")
    page.wait_for_timeout(2000)
    for name in ("name", "lr", "val/loss", "time"):
        times = [page.evaluate(ACT, ["sort", name]) for _ in range(6)]
        show(f"sort by {name}", times[1:], "goal 150 ms")
    for what, form in (
        ("by a setting", "config.optim.lr < 0.0{}5"),
        ("by a metric", 'metric["val/accuracy"].max > 0.9{}'),
        (
            "by a setting, a metric and a tag",
            'config.optim.lr < 0.0{}5 and metric["val/accuracy"].max > 0.2 and "baseline" in tags',
        ),
        ("by a part of the name", '"lr=0.0{}" in name'),
        ("by state and name", 'state != "FAILED" and "lr=0.0{}1" in name'),
    ):
        # each filter is new to the server, and the one before is another
        times = repeated(lambda number, form=form: page.evaluate(ACT, ["filter", form.format(number + 1)]), 7)  # type: ignore[misc]
        show(f"filter {what}, never asked before", times, "goal 150 ms")
    page.evaluate(ACT, ["filter", ""])
    page.wait_for_timeout(1500)
    show_motion("scrolling, 90 px a frame", page.evaluate(SCROLL, [90, 5]), "goal 60 /s")
    show_motion("scrolling, 2,000 px a frame", page.evaluate(SCROLL, [2000, 5]), "goal 60 /s")
    page.context.close()


def measure_many_keys(browser: "Browser", address: str, few: str, some: str, many: str) -> None:
    """A run with 12,000 metrics beside one that fills the screen, and beside one with three, in turns."""
    found: dict[str, list[float]] = {few: [], some: [], many: []}
    for _ in range(7):
        for run_id, times in found.items():
            page = a_page(browser)
            page.goto(f"{address}#/p/weld?q=id+==+%22{run_id}%22&sel={run_id}~0")
            page.wait_for_selector(".chart-card .u-over")
            times.append(page.evaluate("window.painted_()"))
            page.context.close()
    for names, run_id, goal in ((3, few, ""), (_SOME_KEYS, some, ""), (_MANY_KEYS, many, "goal: as the last one")):
        show(f"page with charts of a run with {names:,} metrics", found[run_id][1:], goal)
    page = a_page(browser)
    page.goto(f"{address}#/p/weld?q=id+==+%22{many}%22&sel={many}~0")
    page.wait_for_selector(".chart-card .u-over")
    page.wait_for_timeout(2000)
    scroll = SCROLL.replace('".table"', '".panel-charts"')
    show_motion("scrolling through its charts, 60 px a frame", page.evaluate(scroll, [60, 5]), "goal 60 /s")
    page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="where the runs are kept for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = fill(arguments.home or Path(folder), arguments.runs)
        few, many, some = (a_spec(number).id for number in (1, arguments.runs + 1, arguments.runs + 2))
        print(f"{arguments.runs:,} runs", flush=True)
        with serving(home.path) as address, browsing() as browser:
            measure(browser, address)
            measure_many_keys(browser, address, few, some, many)


if __name__ == "__main__":
    main()
