"""How fast does the index take journals in, and how much room do points take, beside decoding alone?

    python -m benchmarks.index_apply [--points 4000000] [--database URL]

Deterministic data in a temporary folder. Points are numbers: a row of 20 metrics holds 20 of them.
"""

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks import databases
from runyard.database import Database
from runyard.index import Index
from runyard.journal import Home, JournalWriter
from runyard.journal.events import Ended, Started
from runyard.journal.reader import Decoder
from runyard.journal.writer import Schema
from runyard.records import RunId, RunSpec, encode_spec

START = datetime(2026, 1, 1, tzinfo=UTC)
START_NS = 1_767_225_600_000_000_000


def a_spec(run_id: str) -> RunSpec:
    return RunSpec(id=RunId(run_id), project="weld", name=run_id, created_at=START)


def journal_bytes(path: Path, run_id: str, *, keys: int, rows: int) -> None:
    """Values as float32 training gives them; a step every millisecond or so."""
    random = np.random.default_rng(keys)
    main = JournalWriter(path, run=run_id, attempt=1, stream="main")
    schema = main.declare(tuple(f"metric/{number}" for number in range(keys)))
    times = (START_NS + np.cumsum(random.integers(900_000, 1_200_000, rows))).tolist()
    for begin in range(0, rows, 10_000):
        count = min(10_000, rows - begin)
        decay = np.exp(-np.arange(begin, begin + count) / rows)[:, None]
        values = (decay + random.normal(0, 0.02, (count, keys))).astype(np.float32).astype(float).tolist()
        main.append(b"".join(schema.encode(begin + i, times[begin + i], values[i]) for i in range(count)))
    main.close()


def measure(keys: int, points: int, server: str | None) -> None:
    rows = points // keys
    with tempfile.TemporaryDirectory() as folder, databases.empty(server, Path(folder)) as place:
        home = Home.open(Path(folder) / "home")
        database = Database.open(place)
        index = Index(database, home)
        spec = a_spec("r1")
        attempt = home.run(spec.id).attempt(1)
        attempt.path.mkdir(parents=True)
        home.run(spec.id).spec.write_bytes(encode_spec(spec))
        host = JournalWriter(attempt.journal("host"), run=spec.id, attempt=1, stream="host")
        host.event(Started(time_ns=START_NS, host="ws1", user="anna", pid=1))
        journal_bytes(attempt.journal("main"), spec.id, keys=keys, rows=rows)
        data = attempt.journal("main").read_bytes()

        begin = perf_counter()
        Decoder().feed(data)
        decoded_s = perf_counter() - begin
        database.engine.dispose()
        empty = databases.size_bytes(database)
        begin = perf_counter()
        index.catch_up(spec.id)
        applied_s = perf_counter() - begin
        host.event(Ended(time_ns=START_NS, state="COMPLETED"))
        index.catch_up(spec.id)
        size = databases.size_bytes(database) - empty
        points = rows * keys
        print(
            f"{keys:3} keys a row: {points / applied_s / 1e6:6.2f} M points/s (goal 1; decoding alone "
            f"{points / decoded_s / 1e6:.1f}), {size / points:5.2f} bytes a point (goal 8; journal "
            f"{len(data) / points:.1f})",
            flush=True,
        )
        live(index, home, Schema(0, tuple(f"metric/{number}" for number in range(keys))), keys, rows)


def live(index: Index, home: Home, schema: Schema, keys: int, rows: int) -> None:
    """A few new rows of a run that is on its way."""
    spec = a_spec("r2")
    attempt = home.run(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    home.run(spec.id).spec.write_bytes(encode_spec(spec))
    main = JournalWriter(attempt.journal("main"), run=spec.id, attempt=1, stream="main")
    main.declare(schema.keys)
    index.catch_up(spec.id)
    offset = index.offset(spec.id, 1, "main")
    took = []
    for call in range(200):
        row = schema.encode(call, START_NS + call, [float(call)] * keys)
        data = row * 5
        main.append(data)
        begin = perf_counter()
        offset = index.apply(spec.id, 1, "main", offset, data)
        took.append(perf_counter() - begin)
    worst = sorted(took)[-3] * 1e3
    print(f"{'':16}five live rows: {median(took) * 1e3:.2f} ms, 99 % within {worst:.2f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=4_000_000)
    parser.add_argument("--database", help="URL of a PostgreSQL database; others are made beside it for a moment")
    arguments = parser.parse_args()
    for server in [None, arguments.database][: 2 if arguments.database else 1]:
        print(databases.titled(server))
        for keys in (1, 4, 20, 100):
            measure(keys, arguments.points, server)


if __name__ == "__main__":
    main()
