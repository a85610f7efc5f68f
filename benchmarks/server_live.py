"""How many live runs does one small server take? Supervisors of 500 runs that log 10 scalars a second, for a minute.

The server is a process of its own, as are the clients, on the same machine. Each run has a connection of its own and
delivers as a supervisor does, after the rest that its client asks for. A point counts as arrived when its receipt is
there, which is after it can be asked for; so the delay is from `log` to somewhat behind the index.

    python -m benchmarks.server_live [--runs 500] [--seconds 60] [--mlflow FOLDER]

With --mlflow, `mlflow server` gets the same load afterwards; FOLDER is its virtual environment, made if it is missing.
"""

import argparse
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import psutil

from benchmarks import _mlflow_live
from runyard.client import Client, open_client
from runyard.client.remote.transport import REST_S
from runyard.errors import ServerAway
from runyard.journal import MAIN, JournalWriter
from runyard.journal.pieces import Piece
from runyard.records import RunId, RunSpec, new_run_id

HERTZ = 10
CLIENT_PROCESSES = 2
GOAL_S, GOAL_MB = 3.0, 400


@dataclass
class Told:
    """What clients saw: the delay of each point, and the rest after each delivery, in seconds."""

    delays: list[float] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)

    def take(self, other: "Told") -> None:
        """Add what others saw."""
        self.delays += other.delays
        self.rests += other.rests


def main() -> None:
    """Print delay, loss, memory and processor time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--mlflow", type=Path, metavar="FOLDER", help="measure `mlflow server` of this environment, too"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        measure(Path(scratch), n_runs=asked.runs, seconds=asked.seconds)
        if asked.mlflow:
            place = Path(scratch) / "mlflow"
            place.mkdir()
            _mlflow_live.measure(
                asked.mlflow.absolute(), place, free_port(), n_runs=asked.runs, seconds=asked.seconds, rest_s=REST_S
            )


def measure(scratch: Path, *, n_runs: int, seconds: float) -> None:
    """Start a server, log to it, and ask it what it has."""
    port = free_port()
    environment = os.environ | {"RUNYARD_URL": "local", "RUNYARD_HOME": str(scratch / "server")}
    server = subprocess.Popen(
        [sys.executable, "-m", "runyard", "server", "--no-accounts", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ["RUNYARD_URL"] = f"http://127.0.0.1:{port}"
    os.environ["RUNYARD_HOME"] = str(scratch / "desk")
    try:
        client = connect()
        idle_mb = memory_mb(server.pid)
        ids = [new_run_id() for _ in range(n_runs)]
        client.announce([spec_of(run_id) for run_id in ids])
        told: Queue[Told] = multiprocessing.Queue()
        shares = [ids[number::CLIENT_PROCESSES] for number in range(CLIENT_PROCESSES)]
        processes = [multiprocessing.Process(target=log_for, args=(share, seconds, told)) for share in shares]
        before = psutil.Process(server.pid).cpu_times()
        for process in processes:
            process.start()
        peak_mb = 0.0
        found = Told()
        for _ in range(CLIENT_PROCESSES):
            while told.empty() and any(process.is_alive() for process in processes):
                peak_mb = max(peak_mb, memory_mb(server.pid))
                time.sleep(0.5)
            found.take(told.get())
        for process in processes:
            process.join()
        after = psutil.Process(server.pid).cpu_times()
        used = after.user + after.system - before.user - before.system
        kept = sum(client.index.get(run_id).summary["loss"].count for run_id in ids)
        print(f"{n_runs} live runs, {HERTZ} scalars a second each, for {seconds:g} s")
        report(np.array(found.delays), kept=kept, idle_mb=idle_mb, peak_mb=peak_mb)
        lowest, middle, highest = np.percentile(found.rests, (1, 50, 99))
        print(f"      of which the supervisor rests, as it is told: {middle:.2f} s ({lowest:.2f} to {highest:.2f})")
        n_deliveries = len(found.rests)
        print(f"    processor: {100 * used / seconds:.0f} % of one core", end="")
        print(f"; {n_deliveries:,} deliveries of {1000 * used / n_deliveries:.2f} ms each")
        client.close()
    finally:
        server.terminate()
        server.wait()


def report(
    delays: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    *,
    kept: int,
    idle_mb: float,
    peak_mb: float,
) -> None:
    """The figures, beside their goals."""
    worst = float(np.percentile(delays, 99))
    print(f"    points logged {len(delays):,}, in the index {kept:,}: {'none lost' if kept == len(delays) else 'LOST'}")
    verdict = "reached" if worst <= GOAL_S else "MISSED"
    print(f"    from log to index: median {np.median(delays):.2f} s, 99 % within {worst:.2f} s", end="")
    print(f"   goal {GOAL_S:g} s: {verdict}")
    verdict = "reached" if peak_mb <= GOAL_MB else "MISSED"
    print(f"    memory of the server: idle {idle_mb:.0f} MB, at most {peak_mb:.0f} MB   goal {GOAL_MB} MB: {verdict}")


def log_for(ids: list[RunId], seconds: float, told: "Queue[Told]") -> None:
    """Be the supervisors of some runs, one thread each."""
    found = Told()
    threads = [threading.Thread(target=supervise, args=(run_id, seconds, found)) for run_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.put(found)


def supervise(run_id: RunId, seconds: float, found: Told) -> None:
    """One run: points appear in its journal ten times a second, and go to the server after every rest."""
    client = open_client()
    place = client.home.run(run_id).attempt(1)
    place.path.mkdir(parents=True, exist_ok=True)
    journal = JournalWriter(place.journal(MAIN), run=run_id, attempt=1, stream=MAIN)
    schema = journal.declare(("loss",))
    began = time.time() + np.random.default_rng(abs(hash(run_id))).uniform(0, REST_S)
    step, offset = 0, 0
    waiting: list[float] = []
    while step < seconds * HERTZ or waiting:
        due = min(int((time.time() - began) * HERTZ), int(seconds * HERTZ))
        for number in range(step, due):
            logged_at = began + number / HERTZ
            journal.append(schema.encode(number, int(logged_at * 1e9), (1.0 / (number + 1),)))
            waiting.append(logged_at)
        step = max(step, due)
        data = Path(place.journal(MAIN)).read_bytes()[offset:]
        try:
            (receipt,) = client.deliver([Piece(run_id, 1, MAIN, offset, data)])
        except ServerAway:
            receipt = None
        if receipt is not None and receipt.offset > offset:
            now = time.time()
            found.delays += [now - logged_at for logged_at in waiting]
            found.rests.append(client.rest_s)
            waiting.clear()
            offset = receipt.offset
        time.sleep(client.rest_s)
    journal.close()
    client.close()


def spec_of(run_id: RunId) -> RunSpec:
    """A run that some machine executes."""
    return RunSpec(
        id=run_id,
        project="live",
        name=f"run {run_id}",
        created_at=datetime.now(UTC),
        config={"optim": {"lr": 0.01, "momentum": 0.9}, "seed": 1},
        config_id="0" * 64,
        group="0" * 64,
    )


def connect() -> Client:
    """A client, as soon as the server answers."""
    client = open_client()
    while True:
        try:
            client.index.count()
            return client
        except ServerAway:
            time.sleep(0.05)


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def memory_mb(pid: int) -> float:
    """What a process has in memory."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


if __name__ == "__main__":
    main()
