"""Does a page that is left open for an hour of live runs grow in memory?

    python -m benchmarks.dashboard_hour [--changes 3600]

An hour of changes, one a second and run, comes as fast as the server passes it on: four events a second. Three runs log
and print; the page shows their charts and the table. Memory is what lives after a collection, as Chromium counts it.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._browser import a_page, browsing, serving
from tests.server import demo_home

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

_EVENTS_S = 0.25


def living(session: "CDPSession") -> dict[str, float]:
    """What the page holds after a collection."""
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    counted = session.send("Memory.getDOMCounters")
    return {"heap": heap, "nodes": counted["nodes"], "listeners": counted["jsEventListeners"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=3600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        demo = demo_home.make(Path(folder) / "home")
        is_over = threading.Event()
        done = 0

        def live() -> None:
            nonlocal done
            while not is_over.is_set() and done < arguments.changes:
                demo_home.go_on(demo)
                done += 1
                is_over.wait(_EVENTS_S / 4)

        with serving(demo.path) as address, browsing() as browser:
            page = a_page(browser)
            ids = "+".join(f"{each.spec.id}~{number}" for number, each in enumerate(demo.running))
            page.goto(f"{address}#/p/paint-check?sel={ids}")
            page.wait_for_selector(".chart-card .u-over")
            session = page.context.new_cdp_session(page)
            session.send("HeapProfiler.enable")
            thread = threading.Thread(target=live)
            thread.start()
            begun = time.monotonic()
            page.wait_for_timeout(10_000)  # what is made once is there: panels, caches of the compiler
            print(f"{'changes':>8} {'seconds':>8} {'heap MB':>8} {'nodes':>8} {'listeners':>10}", flush=True)
            for part in range(6):
                while done < arguments.changes * part / 5 and thread.is_alive():
                    page.wait_for_timeout(500)
                found = living(session)
                counted = f"{found['heap']:8.1f} {found['nodes']:8.0f} {found['listeners']:10.0f}"
                print(f"{done:8} {time.monotonic() - begun:8.0f} {counted}", flush=True)
            is_over.set()
            thread.join()
        demo.close()


if __name__ == "__main__":
    main()
