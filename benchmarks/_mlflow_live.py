"""`mlflow server` under the load of `server_live`: its own package, an environment of its own, SQLite, its defaults.

Each run posts `log-batch` with what waits, after the rest that a supervisor takes; the clients are bare connections
that are kept, so what is measured is the server.
"""

import http.client
import json
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import psutil

HERTZ = 10
CLIENT_PROCESSES = 2
PATIENCE_S = 60.0  # after the last point: what has not arrived by then has not arrived
_PACKAGE = "mlflow>=3,<4"
_API = "/api/2.0/mlflow"
_LARGEST_BATCH = 1000  # metrics in one request, as its documentation says


class Live:
    """An `mlflow server` of our own, on a free port."""

    def __init__(self, environment: Path, scratch: Path, port: int) -> None:
        program = environment / "bin" / "mlflow"
        if not program.exists():
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
            subprocess.run([environment / "bin" / "pip", "install", "--quiet", _PACKAGE], check=True)
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        self.version = said.split()[-1]
        self.port = port
        store = f"sqlite:///{scratch / 'mlflow.db'}"
        command = [str(program), "server", "--backend-store-uri", store, "--host", "127.0.0.1", "--port", str(port)]
        artifacts = ["--default-artifact-root", str(scratch / "artifacts")]
        with (scratch / "mlflow.log").open("w") as log:
            self._server = subprocess.Popen([*command, *artifacts], cwd=scratch, stdout=log, stderr=log)
        self._wait_until_ready()

    def make_runs(self, count: int) -> list[str]:
        """New runs of a new experiment."""
        connection = connect(self.port)
        name = {"name": f"live {time.time_ns()}"}
        experiment = json.loads(ask(connection, "experiments/create", name))["experiment_id"]
        wish = {"experiment_id": experiment, "start_time": 0}
        return [json.loads(ask(connection, "runs/create", wish))["run"]["info"]["run_id"] for _ in range(count)]

    def memory_mb(self) -> float:
        """What its processes have in memory, shared pages once."""
        return sum(_pss(each) for each in self._family()) / 1e6

    def processor_s(self) -> float:
        """What its processes have used."""
        times = [each.cpu_times() for each in self._family()]  # with those of processes that it has buried
        return sum(each.user + each.system + each.children_user + each.children_system for each in times)

    def close(self) -> None:
        """End it with all its processes."""
        family = self._family()
        for each in family:
            each.terminate()
        for each in psutil.wait_procs(family, timeout=10)[1]:
            each.kill()
        self._server.wait()

    def _family(self) -> list[psutil.Process]:
        own = psutil.Process(self._server.pid)
        return [own, *own.children(recursive=True)]

    def _wait_until_ready(self) -> None:
        while True:
            try:
                connection = connect(self.port)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                if self._server.poll() is not None:
                    raise RuntimeError("mlflow server ended at once; see its log") from None
            time.sleep(0.2)


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:  # its workers come and go
        return 0


def measure(environment: Path, scratch: Path, port: int, *, n_runs: int, seconds: float, rest_s: float) -> None:
    """Print what becomes of as many runs, and then how many it takes with the goal kept."""
    print(f"mlflow server is started; `pip install` first, where {environment} is new")
    live = Live(environment, scratch, port)
    try:
        print(f"mlflow server {live.version}, SQLite, its defaults; each run rests {rest_s:g} s between two requests")
        one_load(live, n_runs=n_runs, seconds=seconds, rest_s=rest_s)
        for fewer in (10, 20, 40, 80, 160):
            if fewer < n_runs and one_load(live, n_runs=fewer, seconds=15.0, rest_s=rest_s) > 3.0:
                break
    finally:
        live.close()


def one_load(live: Live, *, n_runs: int, seconds: float, rest_s: float) -> float:
    """One load; the delay in seconds within which 99 % of the points arrived, infinite if not so many did."""
    ids = live.make_runs(n_runs)
    told: Queue[tuple[list[float], list[float]]] = multiprocessing.Queue()
    shares = [ids[number::CLIENT_PROCESSES] for number in range(CLIENT_PROCESSES)]
    arguments = [(live.port, share, seconds, rest_s, told) for share in shares]
    processes = [multiprocessing.Process(target=log_for, args=each) for each in arguments]
    before_s = live.processor_s()
    for process in processes:
        process.start()
    delays, answers, peak_mb = list[float](), list[float](), 0.0
    for _ in processes:
        while told.empty():
            peak_mb = max(peak_mb, live.memory_mb())
            time.sleep(1.0)
        for kept, found in zip((delays, answers), told.get(), strict=True):
            kept += found
    for process in processes:
        process.join()
    used_s = live.processor_s() - before_s
    logged = n_runs * int(seconds * HERTZ)
    late = sorted(delays) + [float("inf")] * (logged - len(delays))
    worst = late[int(0.99 * len(late))]
    print(f"    {n_runs} runs for {seconds:g} s: {len(delays):,} of {logged:,} points arrived", end="")
    if delays:
        median = np.median(delays)
        print(f"; from log to answer: median {median:.1f} s, 99 % within {worst:.1f} s", end="")
        print(f"; a request takes {np.median(answers):.2f} s, 99 % {np.percentile(answers, 99):.2f} s", end="")
    print(f"; {peak_mb:.0f} MB, {used_s:.0f} s of the processor, {1e6 * used_s / max(1, len(delays)):.0f} µs a point")
    return worst


def log_for(
    port: int, ids: Sequence[str], seconds: float, rest_s: float, told: "Queue[tuple[list[float], list[float]]]"
) -> None:
    """Be some runs, one thread each."""
    delays, answers = list[float](), list[float]()
    threads = [threading.Thread(target=log, args=(port, each, seconds, rest_s, delays, answers)) for each in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.put((delays, answers))


def log(port: int, run_id: str, seconds: float, rest_s: float, delays: list[float], answers: list[float]) -> None:
    """One run: ten points a second, sent after every rest, in requests as large as they may be."""
    connection = connect(port)
    began = time.time() + np.random.default_rng(abs(hash(run_id))).uniform(0, rest_s)
    total, sent = int(seconds * HERTZ), 0
    while sent < total and time.time() < began + seconds + PATIENCE_S:
        due = min(int((time.time() - began) * HERTZ), total, sent + _LARGEST_BATCH)
        if due > sent:
            logged = [began + number / HERTZ for number in range(sent, due)]
            metrics = [
                {"key": "loss", "value": 1.0 / (step + 1), "timestamp": int(at * 1000), "step": step}
                for step, at in enumerate(logged, start=sent)
            ]
            asked_at = time.time()
            try:
                ask(connection, "runs/log-batch", {"run_id": run_id, "metrics": metrics})
            except (OSError, http.client.HTTPException, RuntimeError):
                connection.close()
            else:
                now = time.time()
                answers.append(now - asked_at)
                delays += [now - at for at in logged]
                sent = due
        time.sleep(rest_s)
    connection.close()


def connect(port: int) -> http.client.HTTPConnection:
    """A connection that is kept."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)


def ask(connection: http.client.HTTPConnection, path: str, document: object) -> bytes:
    """One request of the REST API; its answer."""
    connection.request("POST", f"{_API}/{path}", json.dumps(document), {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {content[:200]!r}")
    return content
