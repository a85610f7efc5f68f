"""Does a page that is left open on live runs for an hour grow, and does it miss anything?

    python -m benchmarks.dashboard_hour [--minutes 60] [--every 1.0]

Three runs log and print at each change; the page shows their charts and the table. In the middle the server is ended
and started again. Memory is what lives after a collection, as Chromium counts it. A change has been seen when its step
has arrived in the answers that the page draws; several may arrive together, since the server tells of changes at most
four times a second, and the page asks for the end of curves once a second. `make bench` takes five minutes for it.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks._browser import a_page, browsing, end, free_port, start
from tests.server import demo_home

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Request

REPORTS = 12

# The last step of each run among the curves that the page was given, and how many steps came at all.
LISTEN = """
window.steps_ = {};
const fetch_ = window.fetch;
window.fetch = async (address, init) => {
  const response = await fetch_(address, init);
  if (!String(address).endsWith("/series") || !response.ok) return response;
  const bytes = await response.clone().arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  for (const { run, count, offset } of header.series) {
    if (!count) continue;
    const last = new Float64Array(bytes, start + offset, count)[count - 1];
    window.steps_[run] = Math.max(window.steps_[run] ?? 0, last);
  }
  return response;
};
"""


def living(session: "CDPSession") -> dict[str, float]:
    """What the page holds after a collection."""
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    counted = session.send("Memory.getDOMCounters")
    return {"heap": heap, "nodes": counted["nodes"], "listeners": counted["jsEventListeners"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the page stays open")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two changes of each run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        demo = demo_home.make(Path(folder) / "home")
        is_over = threading.Event()
        done, first = 0, {each.spec.id: each.step for each in demo.running}

        def live() -> None:
            nonlocal done
            due = time.monotonic()
            while not is_over.is_set():
                demo_home.go_on(demo)
                done += 1
                due = max(due + arguments.every, time.monotonic())
                is_over.wait(due - time.monotonic())

        port = free_port()
        process = start(demo.path, port)
        address = f"http://127.0.0.1:{port}/"
        with browsing() as browser:
            page = a_page(browser, LISTEN)
            outside: list[str] = []

            def notice(sent: "Request") -> None:
                if urlsplit(sent.url).port not in (port, None):
                    outside.append(sent.url)

            page.on("request", notice)
            ids = "+".join(f"{each.spec.id}~{number}" for number, each in enumerate(demo.running))
            page.goto(f"{address}#/p/paint-check?sel={ids}")
            page.wait_for_selector(".chart-card .u-over")
            session = page.context.new_cdp_session(page)
            session.send("HeapProfiler.enable")
            thread = threading.Thread(target=live)
            thread.start()
            page.wait_for_timeout(10_000)  # what is made once is there: panels, caches of the compiler
            begun = time.monotonic()

            def seen() -> int:
                """Changes that have arrived for every run."""
                steps = page.evaluate("window.steps_")
                return int(min(steps.get(run, 0) + 1 - before for run, before in first.items()))

            def report(note: str = "") -> None:
                found, arrived = living(session), seen()
                counted = f"{found['heap']:8.1f} {found['nodes']:8.0f} {found['listeners']:10.0f}"
                print(f"{time.monotonic() - begun:8.0f} {done:8} {arrived:8} {counted}  {note}", flush=True)

            print(
                f"{'seconds':>8} {'changes':>8} {'seen':>8} {'heap MB':>8} {'nodes':>8} {'listeners':>10}", flush=True
            )
            report()
            for part in range(1, REPORTS + 1):
                while time.monotonic() - begun < arguments.minutes * 60 * part / REPORTS:
                    page.wait_for_timeout(250)
                if part == REPORTS // 2:
                    end(process)
                    page.wait_for_timeout(5000)
                    process = start(demo.path, port)
                    page.wait_for_selector(".live.on")
                    report("after the server was started again")
                else:
                    report()
            is_over.set()
            thread.join()
            last = done
            begun_waiting = time.monotonic()
            while seen() < last and time.monotonic() - begun_waiting < 60:
                page.wait_for_timeout(50)
            report(f"the last change was seen after {time.monotonic() - begun_waiting:.1f} s")
            if outside:
                raise SystemExit(f"The page asked elsewhere: {outside[:3]}")
            if seen() < last:
                raise SystemExit(f"Of {last} changes {last - seen()} were never seen.")
        end(process)
        demo.close()


if __name__ == "__main__":
    main()
