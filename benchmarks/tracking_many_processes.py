"""How many points a second do 8 processes log at once, each point durable against SIGKILL when its call returns?

Run it as: python benchmarks/tracking_many_processes.py [PROCESSES]
"""

import multiprocessing
import sys
import tempfile
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter

from runyard.records import RunId, RunSpec, encode_spec
from runyard.tracking import Run

GOAL_POINTS_PER_S = 100_000.0
SCALARS = 4
CALLS = 50_000


def main() -> None:
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        barrier = context.Barrier(processes + 1)
        children = [
            context.Process(target=log_many, args=(f"{folder}/{number}", barrier)) for number in range(processes)
        ]
        for child in children:
            child.start()
        barrier.wait()
        begin = perf_counter()
        for child in children:
            child.join()
        seconds = perf_counter() - begin
        written = sum(file.stat().st_size for file in Path(folder).rglob("main.journal"))
    points = processes * CALLS * SCALARS / seconds
    assert written >= processes * CALLS * SCALARS * 8
    reached = "reached" if points >= GOAL_POINTS_PER_S else "MISSED"
    print(f"{processes} processes: {points:,.0f} points/s; goal {GOAL_POINTS_PER_S:,.0f}: {reached}")


def log_many(folder: str, barrier: Barrier) -> None:
    (Path(folder) / "attempts" / "1").mkdir(parents=True)
    spec = RunSpec(id=RunId("benchmark"), project="benchmark", name="many", created_at=datetime.now(UTC))
    (Path(folder) / "run.json").write_bytes(encode_spec(spec))
    run = Run.attach(folder, 1)
    metrics = {f"metric_{number}": 0.5 for number in range(SCALARS)}
    barrier.wait()
    for step in range(CALLS):
        run.log(metrics, step=step)
    run.finish()


if __name__ == "__main__":
    main()
