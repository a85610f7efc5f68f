"""What Sacred's own observers wrote is here as Sacred's own readers see it."""

import json
import math
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient

from runyard.bridges.intake import Imported
from runyard.bridges.sacred.importing import reader_of, take_in
from runyard.client import Client
from runyard.client.runs import output_of
from runyard.errors import RunyardError, UsageError
from runyard.index import RunRow
from runyard.records import RunState
from tests.neighbours.sacred.running import run_sacred, surroundings
from tests.postgresql import PostgreSQL

BEGAN = datetime(2020, 5, 3, 12, 0)  # UTC, as Sacred writes it
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def imported(client: Client, source: str, **more: Any) -> Imported:
    reader = reader_of(source, **more)
    try:
        return take_in(client, reader, project="weld", now=NOW)
    finally:
        reader.close()


def rows(client: Client) -> list[RunRow]:
    return client.index.find(None, sort="created_at")


def points(client: Client, row: RunRow, key: str) -> tuple[list[int], list[float], list[int]]:
    series = client.index.series(row.id, key)
    return series.steps.tolist(), series.values.tolist(), series.times.tolist()


def a_run(run_id: Any = 1, **fields: Any) -> dict[str, Any]:
    """A document of `runs`, as Sacred writes it."""
    return {
        "_id": run_id,
        "experiment": {"name": "weld", "sources": []},
        "config": {"lr": 0.1, "seed": 7},
        "status": "COMPLETED",
        "start_time": BEGAN,
        "stop_time": BEGAN + timedelta(hours=1),
        "heartbeat": BEGAN + timedelta(hours=1),
        **fields,
    }


@pytest.mark.parametrize("kind", ["mongo", "fs"])
def test_what_sacred_has_is_what_is_here(written: Path, mongo: str, client: Client, kind: str) -> None:
    done = imported(client, f"{mongo}written" if kind == "mongo" else str(written / "fs"))

    assert (done.new, done.problems) == (2, [])
    with MongoClient[dict[str, Any]](mongo) as theirs:
        documents = list(theirs["written"]["runs"].find().sort("_id"))
        for row, document in zip(rows(client), documents, strict=True):
            assert row.config["optim"] == {"name": "adam", "betas": [0.9, 0.99]}
            assert (row.config["lr"], row.seed) == (document["config"]["lr"], document["config"]["seed"])
            assert (row.state, row.experiment, row.tags) == (document["status"], "weld", ("baseline",))
            assert row.started_at is not None
            assert abs(row.started_at - document["start_time"].replace(tzinfo=UTC)) < timedelta(milliseconds=2)
            for metric in theirs["written"]["metrics"].find({"run_id": document["_id"]}):
                steps, values, times = points(client, row, metric["name"])
                assert steps == metric["steps"]
                assert [repr(value) for value in values] == [repr(float(value)) for value in metric["values"]]
                told = [int(time.replace(tzinfo=UTC).timestamp() * 1000) for time in metric["timestamps"]]
                assert all(abs(ours // 1_000_000 - ms) <= 1 for ours, ms in zip(times, told, strict=True))
            files = {
                file.name: client.artifacts.path(file.sha256).read_bytes() for file in client.index.artifacts(row.id)
            }
            assert files["weights.bin"] == b"weights"
            assert files["sources/train.py"] == (written / "train.py").read_bytes()
            printed = "".join(output_of(client.folder(row.id).attempt(1)))
            assert printed == (document["captured_out"] if kind == "mongo" else printed)
    completed, failed = rows(client)
    assert completed.summary["result/acc"].last == 0.5
    assert completed.labels["info.window"] == "[0.0, 1.0, 2.0]"
    assert failed.reason == "ValueError: diverged"
    failure = client.index.failure(failed.id)
    assert failure is not None
    assert "raise ValueError" in failure.traceback


def test_what_a_tinydb_observer_wrote_is_here(written: Path, client: Client) -> None:
    done = imported(client, str(written / "td"))

    assert (done.new, done.problems) == (2, [])
    completed, failed = rows(client)
    assert (completed.state, failed.state, completed.config["lr"]) == ("COMPLETED", "FAILED", 0.2)
    files = {
        file.name: client.artifacts.path(file.sha256).read_bytes() for file in client.index.artifacts(completed.id)
    }
    assert (files["weights.bin"], files["sources/train.py"]) == (b"weights", (written / "train.py").read_bytes())


SQL = """
from sacred.observers import SqlObserver
ex.observers.append(SqlObserver("{url}"))

@ex.command
def measured(_run, fail):
    print("begins")
    _run.info["window"] = np.arange(3.0)
    with open("weights.bin", "wb") as file:
        file.write(b"weights\\0")
    _run.add_artifact("weights.bin")
    _run.open_resource("weights.bin").close()
    if fail:
        raise ValueError("diverged")
    return 0.5

ex.run("measured", config_updates={{"lr": 0.2}})
try:
    ex.run("measured", config_updates={{"fail": True}})
except ValueError:
    pass
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def sql_source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database that nothing is in."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'runs.db'}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql_server")
    with server.database() as url:
        yield url


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Sacred's table has room for 64 characters of a folder's path."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def test_what_an_sql_observer_wrote_is_here(sql_source: str, sacred: Path, client: Client, short_path: Path) -> None:
    url = sql_source.replace("postgresql://", "postgresql+psycopg://")
    run_sacred(sacred, short_path, SQL.format(url=url))

    done = imported(client, sql_source)

    assert (done.new, done.problems) == (2, [])
    completed, failed = rows(client)
    assert (completed.state, failed.state, failed.reason) == ("COMPLETED", "FAILED", "ValueError: diverged")
    assert (completed.config["optim"], completed.config["lr"]) == ({"name": "adam", "betas": [0.9, 0.99]}, 0.2)
    assert (completed.experiment, completed.summary["result"].last, completed.seed) == (
        "weld",
        0.5,
        completed.config["seed"],
    )
    assert completed.labels["info.window"] == "[0.0, 1.0, 2.0]"
    files = {
        file.name: client.artifacts.path(file.sha256).read_bytes() for file in client.index.artifacts(completed.id)
    }
    assert files["weights.bin"] == files["resources/weights.bin"] == b"weights\0"
    assert files["sources/train.py"] == (short_path / "train.py").read_bytes()
    failure = client.index.failure(failed.id)
    assert failure is not None
    assert "\n    raise ValueError" in failure.traceback
    assert "\n\n" not in failure.traceback
    assert (imported(client, sql_source).known, imported(client, sql_source).new) == (2, 0)


def test_damaged_rows_of_an_sql_observer_are_listed_with_their_place(
    sacred: Path, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "runs.db"
    run_sacred(sacred, tmp_path, SQL.format(url=f"sqlite:///{path}"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE run SET config = '{\"lr\": 0.' WHERE run_id = '0'")
        database.execute("UPDATE run SET captured_out = CAST(x'ff' AS TEXT) WHERE run_id = '2'")
        database.execute("UPDATE artifact SET content = NULL")

    done = imported(client, str(path))  # a path will do

    assert done.new == 2
    assert [problem.startswith(f"sqlite:///{path}, run ") for problem in done.problems] == [True] * 3
    assert sum("its config cannot be read" in problem for problem in done.problems) == 1
    assert sum("weights.bin: its content is not in the database" in problem for problem in done.problems) == 2
    failed = next(row for row in rows(client) if row.state is RunState.FAILED)
    assert "".join(output_of(client.folder(failed.id).attempt(1))) == "\ufffd"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("sqlite:///none.db", "There is no file"),
        ("sqlite://", "names no database"),
        ("sqlite:///{here}", "holds no runs of Sacred's SqlObserver"),
        ("{here}.txt", "is a file and no database of SQLite"),
        ("postgresql://lab:secret@/x?host={here}", "cannot be used"),
        ("mssql+nonsense://x/y", "does not know"),
        ("mysql://lab/x", "the Python module MySQLdb"),
    ],
)
def test_what_is_no_database_of_an_sql_observer_is_told_so(source: str, told: str, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    (tmp_path / "other.db.txt").write_text("text")
    with closing(sqlite3.connect(other)) as database, database:
        database.execute("CREATE TABLE runs (id)")

    with pytest.raises(RunyardError, match=told) as problem:
        reader_of(source.format(here=other))

    assert "secret" not in str(problem.value)


def test_importing_again_brings_nothing_twice_and_stores_sources_once(
    written: Path, mongo: str, client: Client
) -> None:
    imported(client, f"{mongo}written")
    sources = {f.sha256 for row in rows(client) for f in client.index.artifacts(row.id) if f.name == "sources/train.py"}

    again = imported(client, f"{mongo}written")

    assert (again.new, again.continued, again.known, again.points) == (0, 0, 2, 0)
    assert len(sources) == 1  # Sacred stored them once for each run


@pytest.mark.slow
def test_the_command_line_imports_with_its_exit_code(written: Path, mongo: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runyard", "import", "sacred"]
    where = surroundings(tmp_path)
    fine = subprocess.run(
        [*command, f"{mongo}written", "--json"], env=where, capture_output=True, text=True, check=False
    )
    assert (fine.returncode, json.loads(fine.stdout)["new"]) == (0, 2)
    shutil.copytree(written / "fs", tmp_path / "fs")
    (tmp_path / "fs" / "1" / "metrics.json").write_text('{"loss": {"steps": [0, 1')

    cut = subprocess.run([*command, str(tmp_path / "fs")], env=where, capture_output=True, text=True, check=False)

    assert cut.returncode == 1
    assert str(tmp_path / "fs" / "1" / "metrics.json") in cut.stderr
    nowhere = subprocess.run(
        [*command, "mongodb://127.0.0.1:9/x?serverSelectionTimeoutMS=50"],
        env=where,
        capture_output=True,
        text=True,
        check=False,
    )
    assert nowhere.returncode == 4
    assert "Traceback" not in nowhere.stderr
    assert nowhere.stderr.rstrip().endswith("cannot be used: 127.0.0.1:9: [Errno 111] Connection refused.")


def test_ids_of_any_type_are_runs_of_their_own(db: Any, mongo: str, client: Client) -> None:
    ids = [1, "1", ObjectId(), "a/b c"]
    db["runs"].insert_many([a_run(each, start_time=BEGAN + timedelta(minutes=n)) for n, each in enumerate(ids)])
    for each in ids:
        db["metrics"].insert_one(
            {"run_id": each, "name": "loss", "steps": [0], "values": [len(str(each))], "timestamps": [BEGAN]}
        )

    done = imported(client, mongo + db.name)

    assert (done.new, done.problems) == (4, [])
    assert [row.summary["loss"].last for row in rows(client)] == [len(str(each)) for each in ids]
    assert imported(client, mongo + db.name).known == 4


def test_a_run_of_which_only_the_id_is_left_is_taken_in(db: Any, mongo: str, client: Client) -> None:
    db["runs"].insert_one({"_id": 1})

    assert imported(client, mongo + db.name).problems == []
    assert len(rows(client)) == 1


def test_points_that_cannot_be_read_are_listed_with_their_place(db: Any, mongo: str, client: Client) -> None:
    db["runs"].insert_one(a_run())
    times = [BEGAN] * 4
    metrics = [
        {"name": "uneven", "steps": [0, 1, 2, 3], "values": [1.0, 2.0], "timestamps": times},
        {"name": "mixed", "steps": [0, 1, 2, 3], "values": [1, "two", None, math.inf], "timestamps": times},
        {"name": "twice", "steps": [0, 1], "values": [1, 2], "timestamps": times[:2]},
        {"name": "twice", "steps": [2, 3], "values": [3, 4], "timestamps": times[:2]},
        {"name": "untimed", "steps": [0], "values": [5]},
    ]
    db["metrics"].insert_many([{"run_id": 1, **metric} for metric in metrics])

    done = imported(client, mongo + db.name)

    (row,) = rows(client)
    assert {key: points(client, row, key)[1] for key in client.index.keys(row.id)} == {
        "uneven": [1.0, 2.0],
        "mixed": [1.0, math.inf],
        "twice": [1.0, 2.0, 3.0, 4.0],
        "untimed": [5.0],
    }
    uneven, mixed = done.problems
    assert "run 1, metric 'uneven'" in uneven
    assert "only 2 points are whole" in uneven
    assert "metric 'mixed': 2 of 4 points are no numbers, the first at 1: 'two'" in mixed


def test_files_that_are_gone_are_listed_and_the_others_are_here(db: Any, mongo: str, client: Client) -> None:
    gone = ObjectId()
    db["runs"].insert_one(
        a_run(
            experiment={"name": "weld", "sources": [["train.py", gone]]},
            artifacts=[{"name": "../../etc/passwd", "file_id": gone}],
            resources=[["/data/set.csv", "d41d8cd98f00b204e9800998ecf8427e"]],
        )
    )

    done = imported(client, mongo + db.name)

    assert [problem.partition(", file ")[2].partition(":")[0] for problem in done.problems] == [
        "sources/train.py",
        "etc/passwd",
    ]
    assert rows(client)[0].state is RunState.COMPLETED


def test_pickled_data_are_read_and_never_executed(db: Any, mongo: str, client: Client, tmp_path: Path) -> None:
    trap = {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": [f"touch {tmp_path}/executed"]}]}
    when = {"py/object": "datetime.datetime", "__reduce__": [{"py/type": "datetime.datetime"}, ["B+QFAwwAAAAAAA=="]]}
    config = {"trap": trap, "pair": {"py/tuple": [1, 2]}, "when": when, "thing": {"py/object": "os.PathLike"}}
    info = {"grid": {"py/object": "numpy.ndarray", "dtype": "float64", "values": [[1.0], [2.0]]}}
    db["runs"].insert_one(a_run(config=config, info=info))

    assert imported(client, mongo + db.name).problems == []

    (row,) = rows(client)
    assert (row.config["pair"], row.config["when"]) == ([1, 2], "2020-05-03T12:00:00+00:00")
    assert row.config["trap"] == {"py/reduce": [{"py/function": "os.system"}, [f"touch {tmp_path}/executed"]]}
    assert row.labels["info.grid"] == "[[1.0], [2.0]]"
    assert not (tmp_path / "executed").exists()


def test_a_run_that_never_ended_is_lost_and_goes_on_when_it_is_heard_of(db: Any, mongo: str, client: Client) -> None:
    db["runs"].insert_one(a_run(status="RUNNING", stop_time=None, heartbeat=BEGAN))
    metric = {"run_id": 1, "name": "loss", "steps": [0], "values": [2.0], "timestamps": [BEGAN]}
    db["metrics"].insert_one(metric)
    imported(client, mongo + db.name)
    assert rows(client)[0].state is RunState.LOST
    later = BEGAN + timedelta(hours=2)
    db["metrics"].update_one({}, {"$push": {"steps": 1, "values": 1.0, "timestamps": later}})
    db["runs"].update_one({}, {"$set": {"status": "COMPLETED", "stop_time": later, "heartbeat": later}})

    done = imported(client, mongo + db.name)

    (row,) = rows(client)
    assert (done.continued, done.points, row.state) == (1, 1, "COMPLETED")
    assert points(client, row, "loss")[1] == [2.0, 1.0]


def test_a_live_run_stays_open_and_brings_only_what_is_new(db: Any, mongo: str, client: Client) -> None:
    beat = NOW.replace(tzinfo=None)
    db["runs"].insert_one(a_run(status="RUNNING", stop_time=None, heartbeat=beat, captured_out="one\n"))
    metric = {"run_id": 1, "name": "loss", "steps": [0], "values": [2.0], "timestamps": [BEGAN]}
    db["metrics"].insert_one(metric)
    imported(client, mongo + db.name)
    assert rows(client)[0].state is RunState.RUNNING
    db["metrics"].update_one({}, {"$push": {"steps": 1, "values": 1.0, "timestamps": BEGAN}})
    db["runs"].update_one({}, {"$set": {"captured_out": "one\ntwo\n"}})

    done = imported(client, mongo + db.name)

    (row,) = rows(client)
    assert (done.continued, done.points) == (1, 1)
    assert points(client, row, "loss")[0] == [0, 1]
    assert "".join(output_of(client.folder(row.id).attempt(1))) == "one\ntwo\n"


def test_a_queued_run_waits_here_until_sacred_starts_it(db: Any, mongo: str, client: Client) -> None:
    queued = a_run(status="QUEUED", meta={"queue_time": BEGAN, "priority": 5.0}, host={"hostname": "elsewhere"})
    db["runs"].insert_one({k: v for k, v in queued.items() if k not in ("start_time", "stop_time", "heartbeat")})
    imported(client, mongo + db.name)
    client.refresh()
    assert rows(client)[0].state is RunState.QUEUED
    db["runs"].replace_one({"_id": 1}, a_run())

    imported(client, mongo + db.name)

    assert rows(client)[0].state is RunState.COMPLETED


def test_tags_and_notes_of_omniboard_come_and_what_was_changed_here_stays(db: Any, mongo: str, client: Client) -> None:
    db["runs"].insert_one(a_run(omniboard={"tags": ["paper", "good"], "notes": "look at this"}))
    imported(client, mongo + db.name)
    (row,) = rows(client)
    assert (row.tags, row.note) == (("good", "paper"), "look at this")
    client.tag(row.id, remove=["good"])
    db["runs"].update_one({}, {"$set": {"omniboard.tags": ["paper", "good", "new"]}})

    imported(client, mongo + db.name)

    assert rows(client)[0].tags == ("new", "paper")


def test_prefixes_and_the_names_of_old_versions_are_found(db: Any, mongo: str, client: Client) -> None:
    for name, metrics in (("anna_runs", "anna_metrics"), ("default.runs", "default.metrics")):
        db[name].insert_one(a_run())
        db[metrics].insert_one({"run_id": 1, "name": "loss", "steps": [0], "values": [1], "timestamps": [BEGAN]})

    assert imported(client, mongo + db.name, prefix="anna").new == 1
    assert imported(client, mongo + db.name).new == 1
    assert all("loss" in row.summary for row in rows(client))


def test_a_damaged_folder_gives_what_can_be_read(written: Path, client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "fs"
    shutil.copytree(written / "fs", folder)
    whole = (folder / "1" / "run.json").read_text()
    (folder / "1" / "run.json").write_text(whole[: len(whole) // 2])
    outside = tmp_path / "secret"
    outside.write_text("secret")
    second = json.loads((folder / "2" / "run.json").read_text())
    (folder / "2" / "run.json").write_text(json.dumps(second | {"artifacts": ["../../secret", "weights.bin"]}))

    done = imported(client, str(folder))

    assert done.new == 2
    cut, escaped = done.problems
    assert cut.startswith(f"{folder / '1' / 'run.json'} cannot be read")
    assert "secret" in escaped
    damaged = next(row for row in rows(client) if row.name.endswith(" 1"))
    assert damaged.state is RunState.LOST
    assert len(points(client, damaged, "loss")[0]) == 20
    names = {file.name for row in rows(client) for file in client.index.artifacts(row.id)}
    assert "secret" not in names


def test_a_queued_run_in_a_folder_is_queued_here(sacred: Path, client: Client, tmp_path: Path) -> None:
    program = "ex.observers.append(FileStorageObserver('fs'))\nex.run(options={'--queue': True})\n"
    run_sacred(sacred, tmp_path, program)

    assert imported(client, str(tmp_path / "fs")).problems == []

    client.refresh()
    (row,) = rows(client)
    assert (row.state, row.config["lr"]) == (RunState.QUEUED, 0.1)
    assert abs(row.created_at - datetime.now(UTC)) < timedelta(minutes=10)  # what jsonpickle made of the time


@pytest.mark.parametrize("name", ["config.json", "info.json", "metrics.json"])
def test_each_cut_file_is_named_and_the_rest_is_here(written: Path, client: Client, tmp_path: Path, name: str) -> None:
    shutil.copytree(written / "fs", tmp_path / "fs")
    place = tmp_path / "fs" / "1" / name
    place.write_text(place.read_text()[:-10])

    done = imported(client, str(tmp_path / "fs"))

    assert done.new == 2
    (problem,) = done.problems
    assert problem.startswith(f"{place} cannot be read")
    row = next(each for each in rows(client) if each.name.endswith(" 1"))
    assert row.state is RunState.COMPLETED
    assert ("lr" in row.config, "info.window" in row.labels, "loss" in row.summary) == (
        name != "config.json",
        name != "info.json",
        name != "metrics.json",
    )


def test_a_cut_tinydb_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text('{"runs": {"1": {"_id"')

    with pytest.raises(UsageError, match=r"metadata\.json cannot be read as TinyDB"):
        reader_of(str(tmp_path))
