"""How fast is logging through MLflow's client, to us and to `mlflow server`, one beside the other?

    python -m benchmarks.mlflow_dialect [POINTS]

The same client program logs the same points to both, turn by turn: one call a point, and batches of 1,000. `mlflow`
itself (with its server) is installed into a virtual environment of its own, which takes some 500 MB and is not part of
`make bench`. Ours writes every point into the run's journal before it answers; theirs commits to SQLite.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.neighbours.venvs import python_of
from tests.server.serving import serving

POINTS = 20_000
SINGLE = 1_000  # of the calls with one point each: theirs take minutes for more
_TURNS = 2
_START_S = 500  # theirs imports much, and a busy machine takes its time

_CLIENT = """
import sys, time
from mlflow import MlflowClient
from mlflow.entities import Metric

client, singles, points = MlflowClient(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
number = client.create_experiment("bench" + str(time.time_ns()))
def fresh():
    run = client.create_run(number)
    client.log_metric(run.info.run_id, "warm", 0.0)
    return run.info.run_id
run_id = fresh()
began = time.perf_counter()
for step in range(singles):
    client.log_metric(run_id, "loss", 1.0 / (step + 1), step=step)
one_by_one = time.perf_counter() - began
run_id = fresh()
now = int(time.time() * 1000)
metrics = [Metric("loss", 1.0 / (step + 1), now, step) for step in range(points)]
batches = [metrics[begin : begin + 1000] for begin in range(0, points, 1000)]
began = time.perf_counter()
for batch in batches:
    client.log_batch(run_id, metrics=batch)
at_once = time.perf_counter() - began
began = time.perf_counter()
count = len(client.get_metric_history(run_id, "loss"))
print(one_by_one, at_once, time.perf_counter() - began, count)
"""


def main(points: int = POINTS) -> None:
    """Measure and print."""
    python = python_of(("mlflow>=3.12",))
    found: dict[str, list[list[float]]] = {"runyard": [], "mlflow server": []}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "home") as ours, server(python, folder) as uri:
        places = {"runyard": f"http://127.0.0.1:{ours.port}/mlflow/bench", "mlflow server": uri}
        for _ in range(_TURNS):
            for name, place in places.items():
                found[name].append(_measure(python, place, points))
    columns = {name: list(zip(*turns, strict=True)) for name, turns in found.items()}
    medians = {name: [statistics.median(column) for column in ours] for name, ours in columns.items()}
    for name, (single, batch, history) in medians.items():
        print(f"{name:14} {single / SINGLE * 1e3:7.2f} ms a call with one point")
        print(f"{'':14} {batch:7.2f} s for {points:,} points in batches of 1,000; {history:.2f} s to read them back")
    times = [theirs / ours for ours, theirs in zip(*medians.values(), strict=True)]
    print(f"theirs / ours: {times[0]:.1f} × a call, {times[1]:.1f} × in batches, {times[2]:.1f} × to read back")


def _measure(python: Path, uri: str, points: int) -> list[float]:
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", _CLIENT, uri, str(SINGLE), str(points)],
        env=_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    *times, count = (float(each) for each in done.stdout.split())
    assert count == points, f"{uri} has {count} of {points} points"
    return times


@contextmanager
def server(python: Path, folder: str) -> Iterator[str]:
    """`mlflow server` over SQLite, with one worker: one client needs no more."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = f"sqlite:///{folder}/theirs.db"
    command = [
        str(python),
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        store,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    with Path(folder, "theirs.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # it may take its time, and nothing of it is kept
            process.wait()


def _environment() -> dict[str, str]:
    """Without what leads to our own packages."""
    return {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}


def _await(url: str) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} did not answer within {_START_S} s")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:2]))
