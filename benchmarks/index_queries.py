"""How long does the index take to answer, beside the same rows in bare sqlite3 and bare NumPy?

    python -m benchmarks.index_queries [--runs 100000]

Deterministic data in a temporary folder. Prints medians in milliseconds.
"""

import argparse
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from pcodec import ChunkConfig, standalone
from sqlalchemy import update

from benchmarks import databases
from runyard.database import Database, analyze
from runyard.database.schema import run_metrics, runs
from runyard.index import Index
from runyard.journal import Home, JournalWriter
from runyard.journal.events import Ended, Finished, Started
from runyard.records import RunId, RunSpec, encode_spec

START = datetime(2026, 1, 1, tzinfo=UTC)
START_NS = 1_767_225_600_000_000_000
QUERY = 'config.optim.lr < 0.05 and metric["val/accuracy"].max > 0.2 and "baseline" in tags'
KEYS = ("train/loss", "val/loss", "val/accuracy", "lr")


def a_spec(number: int) -> RunSpec:
    return RunSpec(
        id=RunId(f"r{number:09d}"),
        project="weld" if number % 4 else "paint",
        name=f"lr={number % 100 / 1000} seed={number % 5}",
        created_at=START + timedelta(seconds=number),
        config={
            "optim": {"lr": number % 100 / 1000, "name": ("adam", "sgd")[number % 2], "momentum": 0.9},
            "model": {"depth": number % 7, "width": 64, "layers": [64, 64]},
            "data": {"root": "data", "batch_size": 32, "shuffle": True},
            "epochs": 100,
            "seed": number % 5,
        },
        group=f"g{number // 5}",
        tags=("baseline",) if number % 3 else (),
    )


def timed(action: Callable[[], object], times: int = 21) -> float:
    """Median in milliseconds, after one call to warm up."""
    action()
    took = []
    for _ in range(times):
        begin = perf_counter()
        action()
        took.append(perf_counter() - begin)
    return median(took) * 1e3


def show(what: str, ours_ms: float, goal: str, limit_ms: float, limit: str) -> None:
    print(f"{what:58} {ours_ms:8.2f} ms   goal {goal:>7}   {limit}: {limit_ms:.2f} ms", flush=True)


def write_run(home: Home, spec: RunSpec, *, points: int) -> None:
    """A finished run with its folder and journals."""
    folder = home.run(spec.id)
    attempt = folder.attempt(1)
    attempt.path.mkdir(parents=True)
    folder.spec.write_bytes(encode_spec(spec))
    random = np.random.default_rng(int(spec.id[1:]))
    host = JournalWriter(attempt.journal("host"), run=spec.id, attempt=1, stream="host")
    host.event(Started(time_ns=START_NS, host="ws1", user="anna", pid=1))
    main = JournalWriter(attempt.journal("main"), run=spec.id, attempt=1, stream="main")
    schema = main.declare(KEYS)
    noise = random.normal(0, 0.02, (points, 4)).astype(np.float32).astype(float)
    times = (START_NS + np.cumsum(random.integers(900_000, 1_200_000, points))).tolist()
    records = [schema.encode(step, times[step], (row + step / points).tolist()) for step, row in enumerate(noise)]
    main.append(b"".join(records))
    main.event(Finished(time_ns=times[-1]))
    host.event(Ended(time_ns=times[-1], state="COMPLETED"))
    main.close()
    host.close()


def thousand_runs(home: Home, index: Index, database: Database) -> None:
    specs = [a_spec(number) for number in range(1000)]
    begin = perf_counter()
    index.add_runs(specs)
    added_ms = (perf_counter() - begin) * 1e3
    bare = sqlite3.connect(home.path / "bare.db", isolation_level=None)
    bare.execute("create table runs (id text primary key, spec blob)")
    begin = perf_counter()
    bare.execute("begin")
    bare.executemany("insert into runs values (?, ?)", [(spec.id, encode_spec(spec)) for spec in specs])
    bare.execute("commit")
    show("add 1,000 runs", added_ms, "< 1 s", (perf_counter() - begin) * 1e3, "bare rows of run.json")

    for number in range(1000):
        write_run(home, a_spec(number), points=100)
    begin = perf_counter()
    index.reindex()
    took = perf_counter() - begin
    print(f"reindex of 1,000 runs with 400 points each: {took:.2f} s, {took:.2f} ms a run")

    ids = [spec.id for spec in specs]
    best = timed(lambda: index.find(QUERY, sort="-metric:val/accuracy.max", limit=50))
    with database.engine.connect() as connection:
        raw = connection.connection.cursor()
        text = (
            "select r.id, d.spec, d.merged from run_metrics m join runs r on r.id = m.run_id"
            " join run_documents d on d.run_id = r.id"
            " where m.key = 'val/accuracy' and m.max > 0.2 and exists (select 1 from run_config c where"
            " c.run_id = r.id and c.key = 'optim.lr' and c.number < 0.05) and exists (select 1 from run_tags t"
            " where t.run_id = r.id and t.tag = 'baseline') order by m.max desc limit 50"
        )
        bare_ms = timed(lambda: raw.execute(text) and raw.fetchall())
        show("1,000 runs: the 50 best, filtered and sorted", best, "5 ms", bare_ms, "bare driver, bytes only")
        hundred = ids[:100]
        marks = ",".join(["?" if database.engine.dialect.name == "sqlite" else "%s"] * 100)
        join = (
            'select c.steps, c.times, v."values" from chunk_values v join chunks c using (run_id, attempt, stream,'
            f" segment, block) where v.key = 'val/loss' and v.run_id in ({marks})"
        )
        bare_ms = timed(lambda: raw.execute(join, hundred) and raw.fetchall())
        raw.close()
    ours = timed(lambda: index.series_many(hundred, "val/loss"))
    show("one series of 100 runs (100 points each)", ours, "15 ms", bare_ms, "bare driver, bytes only")


def long_series(home: Home, index: Index) -> None:
    spec = a_spec(5000)
    write_run(home, spec, points=100_000)
    index.catch_up(spec.id)
    ours = timed(lambda: index.series(spec.id, "train/loss"))
    values = index.series(spec.id, "train/loss").values
    packed = standalone.simple_compress(values, ChunkConfig())
    show("one series of 100,000 points", ours, "20 ms", timed(lambda: standalone.simple_decompress(packed)), "pcodec")
    ours = timed(lambda: index.bucketed(spec.id, "train/loss", 1000))
    show("… in 1,000 buckets for a chart", ours, "", timed(lambda: values.reshape(1000, 100).min(axis=1)), "NumPy min")


def many_runs(index: Index, database: Database, count: int) -> None:
    for begin in range(10_000, 10_000 + count, 5000):
        index.add_runs([a_spec(number) for number in range(begin, begin + 5000)])
    random = np.random.default_rng(0)
    best = random.random(count).tolist()
    with database.transaction() as tx:
        rows = [
            {"run_id": f"r{10_000 + number:09d}", "key": "val/accuracy", "last": value, "last_step": 1, "min": 0.0}
            | {"min_step": 0, "max": value, "max_step": 1, "count": 100}
            for number, value in enumerate(best)
        ]
        tx.execute(run_metrics.insert(), rows)
        tx.execute(update(runs).values(duration_s=runs.c.created_ns % 86_243))
        analyze(tx)
    database.dispose()  # as a process that opens the home
    bare = timed(lambda: list(index.find(limit=50)), 5)
    for what, query, sort, project in (
        ("newest first", None, "-created_at", None),
        ("one project, newest first", None, "-created_at", "weld"),
        ("by metric", None, "-metric:val/accuracy.max", None),
        ("filtered, by metric", QUERY, "-metric:val/accuracy.max", None),
        (
            "filtered by config and tag, newest first",
            'config.optim.lr < 0.05 and "baseline" in tags',
            "-created_at",
            None,
        ),
        ("rare metric, newest first", 'metric["val/accuracy"].max > 0.9999', "-created_at", None),
        (
            "rare setting, by metric",
            "config.optim.lr == 0.077 and config.model.depth == 3",
            "-metric:val/accuracy",
            None,
        ),
        ("rare name, newest first", '"lr=0.077" in name', "-created_at", None),
        ("by a setting", None, "config.optim.lr", "weld"),
        ("by duration", None, "-duration_s", None),
    ):
        ours = timed(lambda q=query, s=sort, p=project: index.find(q, sort=s, project=p, limit=50), 7)  # type: ignore[misc]
        show(f"{count:,} runs, first page: {what}", ours, "50 ms", bare, "newest 50")
    ours = timed(lambda: index.count(QUERY), 3)
    show(f"{count:,} runs: count of a filter", ours, "", timed(index.count, 3), "count of all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--database", help="URL of a PostgreSQL database; another is made beside it for a moment")
    arguments = parser.parse_args()
    for server in [None, arguments.database][: 2 if arguments.database else 1]:
        print(databases.titled(server))
        measure(arguments.runs, server)


def measure(count: int, server: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, databases.empty(server, Path(folder)) as place:
        home = Home.open(Path(folder) / "home")
        database = Database.open(place)
        index = Index(database, home)
        thousand_runs(home, index, database)
        long_series(home, index)
        many_runs(index, database, count)


if __name__ == "__main__":
    main()
