"""How long does it take to submit a grid of 1,000 runs, and how much of that is the queue?

    python -m benchmarks.queue_submit [--runs 1000] [--rounds 5] [--database URL]

The limit beside it is the same folders and files made by bare mkdir, write and rename.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import databases
from runyard.client import Client, open_client
from runyard.records import RunSpec, encode_spec, new_run_id

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_grid(count: int) -> list[RunSpec]:
    """Runs as a plan of three settings makes them."""
    return [
        RunSpec(
            id=new_run_id(),
            project="weld",
            name=f"lr={number % 100 / 1000} seed={number % 5}",
            grid="g1",
            created_at=START + timedelta(microseconds=number),
            config={"optim": {"lr": number % 100 / 1000, "momentum": 0.9}, "model": {"depth": 3}, "seed": number % 5},
            changed={"optim.lr": number % 100 / 1000},
            is_queued=True,
        )
        for number in range(count)
    ]


def bare_files(folder: Path, specs: Sequence[RunSpec]) -> None:
    """What cannot be avoided: one folder and one file per run."""
    folder.mkdir()
    for spec in specs:
        draft = folder / f"draft-{spec.id}"
        os.mkdir(draft)
        (draft / "run.json").write_bytes(encode_spec(spec))
        os.rename(draft, folder / spec.id)


def queue_rows(client: Client, specs: Sequence[RunSpec]) -> None:
    """The rows of the queue alone."""
    with client.database.transaction() as tx:
        client.queue.add(tx, specs, now=0.0)


def timed_ms(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    """Print medians in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", help="URL of a PostgreSQL database; another is made beside it for a moment")
    given = parser.parse_args()
    for server in [None, given.database][: 2 if given.database else 1]:
        print(databases.titled(server))
        measure(given, server)


def measure(given: argparse.Namespace, server: str | None) -> None:
    submit, rows, files = [], [], []
    with tempfile.TemporaryDirectory() as scratch, databases.empty(server, Path(scratch)) as place:
        client = open_client(f"{scratch}/home", database=place)
        for number in range(given.rounds):
            first, second, third = a_grid(given.runs), a_grid(given.runs), a_grid(given.runs)
            submit.append(timed_ms(partial(client.submit, first)))
            rows.append(timed_ms(partial(queue_rows, client, second)))
            files.append(timed_ms(partial(bare_files, Path(scratch) / f"bare-{number}", third)))
        client.close()
    for name, found in (("submit", submit), ("  of it, the queue's rows", rows), ("bare folders and files", files)):
        print(f"{name:28} {median(found):8.1f} ms   {min(found):.1f} … {max(found):.1f}   {given.runs:,} runs")


if __name__ == "__main__":
    main()
