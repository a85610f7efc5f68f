"""How long does it take until 1,000 runs of Sacred are runs here, and the second time?

    python -m benchmarks.import_sacred [--runs 1000] [--points 200] [--mongo mongodb://host:port]

The runs lie in folders as FileStorageObserver writes them: two metrics, a config, output, a source that all share, an
artifact. With `--mongo` the same runs are put into a database of that server and imported from there, too; what
that costs is mostly the server's. Beside it stands the limit: reading the same files and parsing their JSON.
"""

import argparse
import json
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runyard.bridges.sacred.importing import reader_of, take_in
from runyard.client import open_client

BEGAN = datetime(2024, 5, 3, 12, 0)
SOURCE = "def train():\n    pass\n" * 200


def write(root: Path, count: int, points: int) -> None:
    """Write runs as FileStorageObserver does."""
    (root / "_sources").mkdir(parents=True)
    (root / "_sources" / "train_0.py").write_text(SOURCE)
    for number in range(1, count + 1):
        folder = root / str(number)
        folder.mkdir()
        for name, content in documents(number, points).items():
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def documents(number: int, points: int) -> dict[str, Any]:
    """The files of one run."""
    began = BEGAN + timedelta(minutes=number)
    times = [(began + timedelta(seconds=step)).isoformat() for step in range(points)]
    series = {"steps": list(range(points)), "values": [1 / (step + 1) for step in range(points)], "timestamps": times}
    run = {
        "experiment": {"name": "weld", "base_dir": "/x", "sources": [["train.py", "_sources/train_0.py"]]},
        "command": "main",
        "host": {"hostname": "ws7", "os": ["Linux", "6"], "python_version": "3.9.1"},
        "status": "COMPLETED",
        "start_time": began.isoformat(),
        "heartbeat": times[-1],
        "stop_time": times[-1],
        "result": 0.5,
        "artifacts": ["report.txt"],
        "resources": [],
        "meta": {},
    }
    config = {"lr": number / 1000, "seed": number, "optim": {"name": "adam", "betas": [0.9, 0.99]}}
    return {
        "run.json": run,
        "config.json": config,
        "metrics.json": {"loss": series, "acc": series},
        "cout.txt": "epoch\n" * 100,
        "report.txt": f"report of {number}",
    }


def put(uri: str, name: str, count: int, points: int) -> None:
    """The same runs as documents of MongoDB."""
    import gridfs
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(name)
        database = client[name]
        files = gridfs.GridFS(database)
        for number in range(1, count + 1):
            found = documents(number, points)
            run = found["run.json"] | {"_id": number, "config": found["config.json"], "captured_out": found["cout.txt"]}
            for key in ("start_time", "heartbeat", "stop_time"):
                run[key] = datetime.fromisoformat(run[key])
            run["experiment"]["sources"] = [["train.py", files.put(SOURCE.encode())]]
            run["artifacts"] = [{"name": "report.txt", "file_id": files.put(found["report.txt"].encode())}]
            database["runs"].insert_one(run)
            for key, series in found["metrics.json"].items():
                times = [datetime.fromisoformat(each) for each in series["timestamps"]]
                database["metrics"].insert_one({"run_id": number, "name": key, **series, "timestamps": times})


def limit_s(root: Path) -> float:
    """Seconds for reading every file and parsing its JSON."""
    begin = time.perf_counter()
    for path in root.rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.is_file():
            path.read_bytes()
    return time.perf_counter() - begin


def imported_s(source: str, work: Path, count: int) -> tuple[float, float]:
    """Seconds for the import into a new home, and for importing the same again."""
    took = []
    with tempfile.TemporaryDirectory(dir=work) as home, closing(open_client(home)) as client:
        for expected in (count, 0):
            begin = time.perf_counter()
            with closing(reader_of(source)) as reader:
                done = take_in(client, reader, project="bench", now=datetime.now(UTC))
            took.append(time.perf_counter() - begin)
            assert (done.new, done.problems) == (expected, [])
    return took[0], took[1]


def main() -> None:
    """Measure, and print a line for each source."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--mongo", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        root = Path(work) / "runs"
        write(root, given.runs, given.points)
        print(f"{given.runs:,} runs of 2 × {given.points:,} points; reading their files alone: {limit_s(root):.1f} s")
        first, again = imported_s(str(root), Path(work), given.runs)
        print(f"from folders: {first:.1f} s ({first / given.runs * 1e3:.1f} ms a run); the same again {again:.1f} s")
        if given.mongo:
            put(given.mongo, "runyard_bench", given.runs, given.points)
            first, again = imported_s(f"{given.mongo.rstrip('/')}/runyard_bench", Path(work), given.runs)
            print(
                f"from MongoDB: {first:.1f} s ({first / given.runs * 1e3:.1f} ms a run); the same again {again:.1f} s"
            )


if __name__ == "__main__":
    main()
