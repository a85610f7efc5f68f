"""How long does a worker take to claim a run and to keep its lease, alone and with others at the same file?

    python -m benchmarks.queue_claim [--runs 1000] [--workers 4] [--users 1] [--database URL]

The limit beside it is one empty write transaction of bare sqlite3 on a file of its own.
"""

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from benchmarks import databases
from runyard.database import Database
from runyard.queue import Capacity, Queue
from runyard.records import RunSpec, WorkerId, new_run_id

START = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[1]
SLOT = Capacity(cpu_slots=1, all_cpu_slots=1)


def fill(path: str, count: int, users: int = 1) -> None:
    """A queue with so many waiting runs, of so many users in turn."""
    specs = [
        RunSpec(
            id=new_run_id(),
            project="weld",
            name="a run",
            grid="g1",
            user=f"user-{number % users}",
            created_at=START + timedelta(microseconds=number),
            is_queued=True,
        )
        for number in range(count)
    ]
    database = Database.open(path)
    with database.transaction() as tx:
        Queue(database).add(tx, specs, now=0.0)
    database.dispose()


def claim_all(path: str, worker: str) -> None:
    """Claim until nothing is left; print how long each claim and each heartbeat took, in milliseconds."""
    queue = Queue(Database.open(path))
    while True:
        begin = time.perf_counter()
        lease = queue.claim_next(WorkerId(worker), SLOT, now=time.time())
        claimed = time.perf_counter()
        if lease is None:
            return
        queue.heartbeat(lease.run_id, worker, lease.attempt, now=time.time())
        print((claimed - begin) * 1000, (time.perf_counter() - claimed) * 1000)


def with_workers(path: str, count: int) -> tuple[list[float], list[float]]:
    """Claims and heartbeats of so many processes at once."""
    command = [sys.executable, "-m", "benchmarks.queue_claim", "--claim", path]
    processes = [
        subprocess.Popen([*command, f"worker-{number}"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    lines = [line.split() for process in processes for line in process.communicate()[0].splitlines()]
    return [float(claim) for claim, _ in lines], [float(beat) for _, beat in lines]


def bare_transactions(path: Path, count: int) -> list[float]:
    """The least that a durable claim can take."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE t (x INTEGER)")
    connection.execute("INSERT INTO t VALUES (0)")

    def one() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE t SET x = x + 1")
        connection.execute("COMMIT")

    times = [timed_ms(one) for _ in range(count)]
    connection.close()
    return times


def timed_ms(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    """Print medians and 99th percentiles in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--users", type=int, default=1)
    parser.add_argument("--claim", nargs=2, metavar=("DATABASE", "WORKER"), help=argparse.SUPPRESS)
    parser.add_argument("--database", help="URL of a PostgreSQL database; others are made beside it for a moment")
    given = parser.parse_args()
    if given.claim:
        claim_all(*given.claim)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for server in [None, given.database][: 2 if given.database else 1]:
            print(databases.titled(server))
            for count in (1, given.workers):
                with databases.empty(server, Path(scratch)) as place:
                    fill(place, given.runs, given.users)
                    claims, beats = with_workers(place, count)
                show(f"claim, {count} at once", claims)
                show(f"heartbeat, {count} at once", beats)
        show("bare sqlite3 transaction", bare_transactions(Path(scratch) / "bare.db", given.runs))


def show(name: str, times: list[float]) -> None:
    print(f"{name:28} {median(times):8.2f} ms   99 %: {quantiles(times, n=100)[98]:.2f} ms   {len(times):,} of them")


if __name__ == "__main__":
    main()
