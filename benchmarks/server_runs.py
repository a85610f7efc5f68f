"""How long does the server take for the first page of 100,000 runs, filtered, sorted and grouped?

    python benchmarks/server_runs.py [--runs 100000]

A real server on loopback, asked by a client on the same machine. Medians in milliseconds.
"""

import argparse
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx
import numpy as np
from index_queries import QUERY, a_spec  # type: ignore[import-not-found]  # beside this script
from sqlalchemy import update

from runyard.client import open_client
from runyard.database import analyze
from runyard.database.schema import run_metrics, runs
from runyard.server import choose_port, create_app
from runyard.server.running import Server


@contextmanager
def serving(path: Path) -> Iterator[httpx.Client]:
    """A server of this home, and a client."""
    listener = choose_port()
    is_ready = threading.Event()
    server = Server(create_app(path), on_ready=is_ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    is_ready.wait()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
        trust_env=False,
        timeout=120,
        headers={"X-Runyard": "1"},
    ) as http:
        http.get("/api/v1/projects")
        yield http
    server.should_exit = True
    thread.join()


def asked(http: httpx.Client, method: str, path: str, body: Any = None, *, times: int = 9) -> tuple[float, int]:
    """Median in milliseconds, after one call to warm up, and the size of the answer."""
    took = []
    for number in range(times + 1):
        begin = perf_counter()
        response = http.request(method, path, json=body)
        if number:
            took.append(perf_counter() - begin)
        response.raise_for_status()
    return median(took) * 1e3, len(response.content)


def fill(path: Path, count: int) -> None:
    """Rows of completed runs, as the index would have them."""
    client = open_client(path)
    client.refresh()
    for begin in range(0, count, 5000):
        client.index.add_runs([a_spec(number) for number in range(begin, min(begin + 5000, count))])
    random = np.random.default_rng(0)
    with client.database.transaction() as tx:
        rows = [
            {"run_id": f"r{number:09d}", "key": key, "last": value, "last_step": 1, "min": 0.0}
            | {"min_step": 0, "max": value, "max_step": 1, "count": 100}
            for key in ("val/accuracy", "val/loss")
            for number, value in enumerate(random.random(count).tolist())
        ]
        tx.execute(run_metrics.insert(), rows)
        tx.execute(update(runs).values(duration_s=runs.c.created_ns % 86_243, state="COMPLETED"))
        analyze(tx)
    client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), arguments.runs)
        print(f"{arguments.runs:,} runs", flush=True)
        shown = "metrics=val/accuracy,val/loss&config=optim.lr,model.depth&limit=50"
        with serving(Path(folder)) as http:
            for what, path, goal in (
                ("first page, newest first", f"/runs?{shown}", "50 ms"),
                ("… of one project", f"/runs?project=weld&{shown}", "50 ms"),
                ("… by a metric", f"/runs?sort=-metric:val/accuracy.max&{shown}", "50 ms"),
                ("… filtered, by a metric", f"/runs?query={QUERY}&sort=-metric:val/accuracy.max&{shown}", "50 ms"),
                ("… filtered by a setting", f"/runs?query=config.optim.lr < 0.01&{shown}", "50 ms"),
                ("page at 50,000", f"/runs?offset=50000&{shown}", ""),
                ("columns of one project", "/columns?project=weld", ""),
                ("groups: all but seed", "/groups?project=weld&metrics=val/accuracy.max", ""),
                ("groups by a setting, by a metric", "/groups?by=optim.lr&sort=-metric:val/accuracy.max", ""),
                ("projects", "/projects", ""),
            ):
                took_ms, size = asked(http, "GET", "/api/v1" + path)
                print(f"{what:40} {took_ms:8.1f} ms   {size:>9,} bytes   {f'goal {goal}' if goal else ''}", flush=True)


if __name__ == "__main__":
    main()
