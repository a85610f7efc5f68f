"""How long do TensorBoard and `mlflow ui` take for the same runs, in the same browser?

    python -m benchmarks.dashboard_others --install [--tools FOLDER] [--runs 1000] [--curves 100] [--points 100000]

Says nothing without `--install`, which puts both into an environment of their own under `--tools` (a package index is
asked for some 300 MB; what is there is taken as it is). 100,000 runs are out of their reach: MLflow logs six a second.
So each gets `--runs` short runs for a table, and TensorBoard besides `--curves` runs of `--points` points for a chart.
A time is that from the navigation to the frame that shows it, after their servers have read all they will read.
"""

import argparse
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import dashboard_charts, dashboard_runs
from benchmarks._browser import a_page, browsing, free_port, serving, show

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOOLS = ("tensorboard==2.21.0", "mlflow==3.17.2", "setuptools<81")  # the first imports pkg_resources
KEYS = ("train/loss", "val/loss", "val/accuracy")
TIMES = 5
_READ_S = 600.0

MLFLOW_RUNS = """
import random, sys
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
experiment = client.create_experiment("weld")
for n in range(int(sys.argv[2])):
    run = client.create_run(experiment, run_name=f"run-{n:05d}").info.run_id
    metrics = [Metric(key, random.random(), 1000 + step, step) for step in range(5) for key in sys.argv[3:]]
    params = [Param("lr", str(n % 100 / 1000)), Param("depth", str(n % 7))]
    client.log_batch(run, metrics=metrics, params=params)
    client.set_terminated(run)
"""

TENSORBOARD_ROWS = """() => document.querySelectorAll("tb-data-table-content-row, .run-row").length > 3"""
TENSORBOARD_CHART = """() => document.querySelectorAll("scalar-card line-chart").length > 0
  && !document.querySelector("scalar-card mat-spinner")"""
MLFLOW_ROWS = """() => (document.body?.innerText.match(/run-0/g) ?? []).length > 5"""
OUR_ROWS = """() => document.querySelector(".row.run .name") !== null"""
OUR_CHART = """() => document.querySelector(".chart-card .u-over") !== null"""


def installed(folder: Path) -> Path:
    """Where the commands of both are."""
    commands = folder / "venv" / "bin"
    if not (commands / "mlflow").exists() or not (commands / "tensorboard").exists():
        print(f"Installing {', '.join(TOOLS)} into {folder / 'venv'} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        subprocess.run([str(commands / "python"), "-m", "pip", "install", "--quiet", *TOOLS], check=True)
    return commands


# ---- the same runs for all ----


def write_events(folder: Path, *, runs: int, points: int, keys: tuple[str, ...]) -> None:
    """Event files as TensorBoard's writer makes them: records of one length, so that NumPy makes a run at once."""
    random = np.random.default_rng(0)
    for number in range(runs):
        run = folder / f"run-{number:05d}"
        run.mkdir(parents=True)
        values = random.random((points, len(keys))).astype("<f4")
        first = b"\x09" + struct.pack("<d", 1.0) + b"\x1a\x0dbrain.Event:2"
        (run / "events.out.tfevents.1.host").write_bytes(
            _framed(np.frombuffer(first, np.uint8)[None]).tobytes() + _events(values, keys).tobytes()
        )


def _events(values: NDArray[np.float32], keys: tuple[str, ...]) -> NDArray[np.uint8]:
    """One event a row: wall time, step (always in three bytes) and a summary of all keys, framed."""
    pieces: list[bytes] = []
    for key in keys:
        value = b"\x0a" + bytes([len(key)]) + key.encode() + b"\x15\x00\x00\x00\x00"
        pieces.append(b"\x0a" + bytes([len(value)]) + value)
    summary = b"".join(pieces)
    template = b"\x09" + bytes(8) + b"\x10\x80\x80\x00" + b"\x2a" + bytes([len(summary)]) + summary
    table = np.tile(np.frombuffer(template, np.uint8), (len(values), 1))
    steps = np.arange(len(values))
    table[:, 1:9] = (1.0 + steps).astype("<f8").view(np.uint8).reshape(-1, 8)
    for place, shift in enumerate((0, 7, 14)):
        table[:, 10 + place] = (steps >> shift & 127) | (128 if shift < 14 else 0)
    end = len(template) - len(summary)
    for column, piece in enumerate(pieces):
        end += len(piece)
        table[:, end - 4 : end] = np.ascontiguousarray(values[:, column]).view(np.uint8).reshape(-1, 4)
    return _framed(table)


def _framed(records: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Records of one length as TFRecord holds them: length, its checksum, the record, its checksum."""
    count, size = records.shape
    lengths = np.tile(np.frombuffer(struct.pack("<Q", size), np.uint8), (count, 1))
    return np.hstack((lengths, _checksums(lengths), records, _checksums(records)))


def _checksums(records: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """CRC-32C of each row, masked as TFRecord wants it."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(0x82F63B78), table >> 1)
    residue = np.full(len(records), 0xFFFFFFFF, np.uint32)
    for column in records.T:
        residue = table[(residue ^ column) & 0xFF] ^ residue >> 8
    residue = ~residue
    masked = (residue >> 15 | residue << np.uint32(17)) + np.uint32(0xA282EAD8)
    return masked.astype("<u4").view(np.uint8).reshape(-1, 4)


# ---- their servers ----


@contextmanager
def running(command: list[str], address: str) -> Iterator[None]:
    """A server that answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        waited(lambda: bool(_read(address)), "the server")
        yield
    finally:
        process.terminate()
        process.wait(30)


def waited(is_done: Callable[[], bool], what: str) -> float:
    """Seconds until something holds."""
    begun = time.monotonic()
    while not is_done():
        if time.monotonic() - begun > _READ_S:
            raise SystemExit(f"After {_READ_S:.0f} s {what} was not ready.")
        time.sleep(0.2)
    return time.monotonic() - begun


def _read(address: str) -> Any:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.read()
    except OSError:
        return None


@contextmanager
def tensorboard(commands: Path, logs: Path, runs: int, last_step: int) -> Iterator[str]:
    """TensorBoard when it has read everything; tells how long that took."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    command = [str(commands / "tensorboard"), "--logdir", str(logs), "--port", str(port), "--host", "127.0.0.1"]
    with running(command, address):

        def is_read() -> bool:
            names = json.loads(_read(f"{address}data/runs") or "[]")
            if len(names) < runs:
                return False
            found = _read(f"{address}data/plugin/scalars/scalars?run={max(names)}&tag=val%2Floss")
            return bool(found) and json.loads(found)[-1][1] >= last_step

        print(f"TensorBoard has read {runs:,} runs after {waited(is_read, 'TensorBoard'):.0f} s", flush=True)
        yield address


@contextmanager
def mlflow(commands: Path, folder: Path, runs: int) -> Iterator[str]:
    """`mlflow ui` of runs that its client has logged; tells how long that took."""
    store = f"sqlite:///{folder}/mlflow.db"
    begun = time.monotonic()
    subprocess.run([str(commands / "python"), "-c", MLFLOW_RUNS, store, str(runs), *KEYS], check=True, cwd=folder)
    print(f"MLflow has logged {runs:,} runs in {time.monotonic() - begun:.0f} s", flush=True)
    port = free_port()
    command = [str(commands / "mlflow"), "ui", "--backend-store-uri", store, "--port", str(port), "--workers", "1"]
    with running(command, f"http://127.0.0.1:{port}/"):
        yield f"http://127.0.0.1:{port}/"


# ---- what is measured ----


def look(browser: "Browser", address: str, *wanted: str) -> list[list[float]]:
    """Milliseconds from the navigation until each of these holds and is painted, one after the other; empty caches."""
    found: list[list[float]] = [[] for _ in wanted]
    for time_ in range(TIMES + 1):
        page: Page = a_page(browser)
        page.goto(address, wait_until="commit")
        for place, what in enumerate(wanted):
            page.evaluate(f"() => window.until_({what})")
            at = page.evaluate("window.painted_()")
            if time_:  # the first visit warms the server
                found[place].append(at)
        page.context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="take part: makes an environment with both")
    parser.add_argument("--tools", type=Path, default=Path(tempfile.gettempdir()) / "runyard-benchmark-tools")
    parser.add_argument("--runs", type=int, default=1000, help="for the table")
    parser.add_argument("--curves", type=int, default=100, help="for the chart")
    parser.add_argument("--points", type=int, default=100_000, help="of each curve, at most 2,000,000")
    arguments = parser.parse_args()
    if not arguments.install:
        print(
            "Left out: it installs TensorBoard and MLflow. With them: python -m benchmarks.dashboard_others --install"
        )
        return
    commands = installed(arguments.tools)
    what = f"{arguments.runs:,} runs"
    with tempfile.TemporaryDirectory() as name, browsing() as browser:
        folder = Path(name)
        home = dashboard_runs.fill(folder / "runs", arguments.runs)
        with serving(home.path) as address:
            (rows,) = look(browser, f"{address}#/p/weld", OUR_ROWS)
            show(f"Runyard, {what}: until rows", rows, "")
        ids = dashboard_charts.fill(folder / "curves", runs=arguments.curves, points=arguments.points)
        chosen = "+".join(f"{run}~{number % 7}" for number, run in enumerate(ids))
        with serving(folder / "curves") as address:
            (chart,) = look(browser, f"{address}#/p/weld?sel={chosen}&re=^val/loss$", OUR_CHART)
            show(f"Runyard, {arguments.curves} × {arguments.points:,} points: until a chart", chart, "")
        shutil.rmtree(folder / "curves")

        write_events(folder / "table", runs=arguments.runs, points=5, keys=KEYS)
        with tensorboard(commands, folder / "table", arguments.runs, 4) as address:
            rows, chart = look(browser, f"{address}#timeseries", TENSORBOARD_ROWS, TENSORBOARD_CHART)
            show(f"TensorBoard, {what}: until rows", rows, "")
            show(f"TensorBoard, {what}: until a chart", chart, "")
        write_events(folder / "long", runs=arguments.curves, points=arguments.points, keys=("val/loss",))
        with tensorboard(commands, folder / "long", arguments.curves, arguments.points - 1) as address:
            (chart,) = look(browser, f"{address}#timeseries", TENSORBOARD_CHART)
            show(f"TensorBoard, {arguments.curves} × {arguments.points:,} points: until a chart", chart, "")
        with mlflow(commands, folder, arguments.runs) as address:
            (rows,) = look(browser, f"{address}#/experiments/1/runs", MLFLOW_ROWS)
            show(f"MLflow, {what}: until rows", rows, "")


if __name__ == "__main__":
    main()
