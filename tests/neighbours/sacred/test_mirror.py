"""A mirror obeys the rules of Sacred's schema, and never harms the runs that it shows."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import ObjectId
from pymongo.errors import PyMongoError

from runyard.bridges.intake import Foreign, begin
from runyard.bridges.sacred.documents import MOST_OUTPUT_BYTES, MOST_POINTS
from runyard.bridges.sacred.mirroring import LARGEST_FILE_BYTES, Mirror
from runyard.client import Client, open_client
from runyard.errors import ConflictError
from runyard.records import RunState
from tests.neighbours.sacred.running import failing, free_port, mongo_server, run_sacred, surroundings

BEGAN = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(hours=1)


@pytest.fixture
def mirror(client: Client, mongo: str, db: Any) -> Iterator[Mirror]:
    with closing(Mirror(client, mongo + db.name)) as mirror:
        yield mirror


def times_ns(count: int) -> list[int]:
    return [int((BEGAN + timedelta(seconds=each)).timestamp()) * 10**9 for each in range(count)]


def a_run(client: Client, number: int = 1, *, points: int = 3, ended: bool = True, **more: Any) -> str:
    """A run with all that a document shows; returns its id."""
    given: dict[str, Any] = {"source": f"test:{number}", "project": "weld", "name": f"run {number}", "tags": ("a",)}
    given |= {"created_at": BEGAN, "started_at": BEGAN, "config": {"lr": 0.1}, "note": "first"} | more
    with begin(client, Foreign(**given)) as run:
        run.points("loss", range(points), [float(step) for step in range(points)], times_ns(points))
        run.points("sys/cpu", [0], [0.5], times_ns(1), host=True)
        if ended:
            run.end(RunState.COMPLETED, at=ENDED)
    return run.id


def test_a_document_has_all_that_sacred_and_omniboard_need(mirror: Mirror, client: Client, db: Any) -> None:
    foreign = Foreign(
        source="test:1", project="weld", name="one", created_at=BEGAN, started_at=BEGAN, experiment="depth",
        config={"optim.lr": {"$odd": 1}, "huge": 2**80}, tags=("a", "b"), note="look", host="ws7", commit="c" * 40,
    )  # fmt: skip
    with begin(client, foreign) as run:
        run.points("val.acc", [0, 1, 1], [0.5, math.nan, math.inf], times_ns(3))
        run.file("out/report.html", b"<p>", at=ENDED)
        run.file("sources/train.py", b"pass", at=ENDED)
        run.output("epoch 1\n", at=ENDED)
        run.end(RunState.FAILED, at=ENDED, failure=("ValueError", "no", "Traceback…\nValueError: no"))

    mirror.look()

    (document,) = db["runs"].find()
    assert document["_id"] == 1
    assert document["experiment"]["name"] == "depth"
    assert document["experiment"]["repositories"] == [{"url": "", "commit": "c" * 40, "dirty": False}]
    assert document["config"] == {"optim,lr": {"@odd": 1}, "huge": str(2**80)}
    assert (document["status"], document["start_time"], document["stop_time"]) == (
        "FAILED",
        BEGAN.replace(tzinfo=None),
        ENDED.replace(tzinfo=None),
    )
    assert document["heartbeat"] == ENDED.replace(tzinfo=None)
    assert document["fail_trace"] == ["Traceback…\n", "ValueError: no"]
    assert document["captured_out"] == "epoch 1\n"
    assert document["omniboard"] == {"tags": ["a", "b"], "notes": "look"}
    assert document["meta"]["comment"] == "look"
    assert document["info"]["runyard"]["id"] == run.id
    assert [("run_id", 1), ("name", 1)] in [list(each["key"].items()) for each in db["metrics"].list_indexes()]
    (metric,) = db["metrics"].find()
    assert document["info"]["metrics"] == [{"name": "val.acc", "id": str(metric["_id"])}]
    assert (metric["run_id"], metric["steps"], str(metric["values"])) == (1, [0, 1, 1], "[0.5, nan, inf]")
    assert metric["timestamps"][1] == (BEGAN + timedelta(seconds=1)).replace(tzinfo=None)
    (artifact,) = document["artifacts"]
    file = db["fs.files"].find_one({"_id": artifact["file_id"]})
    assert (file["filename"], file["contentType"]) == ("artifact://runs/1/out/report.html", "text/html")
    assert document["experiment"]["sources"][0][0] == "train.py"
    assert {"host", "meta", "resources", "format", "result"} <= set(document)


def test_a_queued_run_is_queued_there_and_has_every_field(mirror: Mirror, client: Client, db: Any) -> None:
    with begin(client, Foreign(source="t:1", project="weld", name="w", created_at=BEGAN, started_at=None)):
        pass

    mirror.look()

    (document,) = db["runs"].find()
    assert (document["status"], document["artifacts"], document["captured_out"]) == ("QUEUED", [], "")
    assert set(document["experiment"]) == {"name", "base_dir", "sources", "dependencies", "repositories", "mainfile"}
    assert document["resources"] == []
    assert {"config", "host", "meta", "info", "command", "format"} <= set(document)
    assert document["heartbeat"] is None
    assert "start_time" not in document


def test_a_running_run_keeps_its_heart_beating_and_grows(mirror: Mirror, client: Client, db: Any) -> None:
    a_run(client, ended=False)
    mirror.look(now=ENDED)
    assert db["runs"].find_one()["heartbeat"] == ENDED.replace(tzinfo=None)
    before = db["metrics"].find_one()

    mirror.look(now=ENDED + timedelta(minutes=1))
    assert db["runs"].find_one()["heartbeat"] == (ENDED + timedelta(minutes=1)).replace(tzinfo=None)
    with begin(client, Foreign(source="test:1", project="weld", name="", created_at=BEGAN, started_at=BEGAN)) as run:
        run.points("loss", [3], [9.0], times_ns(4)[3:])
        run.end(RunState.COMPLETED, at=ENDED)
    mirror.look()

    (metric,) = db["metrics"].find()
    assert (metric["_id"], metric["steps"]) == (before["_id"], [0, 1, 2, 3])
    assert db["runs"].find_one()["status"] == "COMPLETED"


def test_hearts_go_on_beating_while_a_look_takes_long(client: Client, mongo: str, db: Any) -> None:
    a_run(client, ended=False)
    a_run(client, 2, created_at=BEGAN + timedelta(minutes=1))
    with closing(Mirror(client, mongo + db.name, beat_s=0)) as mirror:
        mirror.look(now=ENDED)

        def forget(done: int, total: int) -> None:
            if done == 1:  # the running one is done, and the other one would take minutes
                db["runs"].update_one({"status": "RUNNING"}, {"$set": {"heartbeat": BEGAN}})

        mirror.look(now=ENDED + timedelta(minutes=3), progress=forget)

    assert db["runs"].find_one({"status": "RUNNING"})["heartbeat"] == (ENDED + timedelta(minutes=3)).replace(
        tzinfo=None
    )


def test_numbers_are_given_beside_those_of_sacred(mirror: Mirror, client: Client, db: Any) -> None:
    db["runs"].insert_many([{"_id": 41, "experiment": {"name": "theirs"}}, {"_id": "a text"}])
    a_run(client)

    mirror.look()

    assert [each["_id"] for each in db["runs"].find({"info.runyard": {"$exists": True}})] == [42]
    assert db["runs"].find_one({"_id": 41}) == {"_id": 41, "experiment": {"name": "theirs"}}


def test_what_is_edited_in_omniboard_comes_back_and_the_other_way(mirror: Mirror, client: Client, db: Any) -> None:
    run_id = a_run(client)
    mirror.look()
    db["runs"].update_one({}, {"$set": {"omniboard.tags": ["b", "c"], "mine": 1}})  # `a` taken away
    client.tag(run_id, add=["here"])

    assert mirror.look().edited == 1
    mirror.look()

    assert client.index.get(run_id).tags == ("b", "c", "here")
    assert db["runs"].find_one()["omniboard"] == {"tags": ["b", "c", "here"], "notes": "first"}
    db["runs"].update_one({}, {"$set": {"omniboard.notes": "from there"}})
    mirror.look()
    assert client.index.get(run_id).note == "from there"
    client.note(run_id, "from here")
    mirror.look()
    assert db["runs"].find_one()["omniboard"] == {"tags": ["b", "c", "here"], "notes": "from here"}
    assert db["runs"].find_one()["mine"] == 1


def test_a_run_that_is_deleted_there_stays_deleted_there(client: Client, mongo: str, db: Any) -> None:
    run_id = a_run(client)
    with closing(Mirror(client, mongo + db.name)) as mirror:
        mirror.look()
        for name in ("runs", "metrics"):
            db[name].delete_many({})
        mirror.look()
    client.note(run_id, "again")

    with closing(Mirror(client, mongo + db.name)) as restarted:
        restarted.look()

    assert db["runs"].count_documents({}) == db["metrics"].count_documents({}) == 0
    assert client.index.get(run_id).state is RunState.COMPLETED


@pytest.mark.parametrize("keeps_state", [True, False])
def test_a_restart_goes_on_with_the_same_documents(client: Client, mongo: str, db: Any, keeps_state: bool) -> None:
    a_run(client, ended=False)
    with closing(Mirror(client, mongo + db.name)) as mirror:
        mirror.look()
    if not keeps_state:
        for file in (client.home.path / "mirrors").glob("*.json"):
            file.write_text('{"cut')
    a_run(client, 2)

    with closing(Mirror(client, mongo + db.name)) as restarted:
        restarted.look()

    assert sorted(each["_id"] for each in db["runs"].find()) == [1, 2]
    assert [metric["steps"] for metric in db["metrics"].find()] == [[0, 1, 2], [0, 1, 2]]


def test_a_document_stays_small_enough_for_mongo_and_omniboard(mirror: Mirror, client: Client, db: Any) -> None:
    foreign = Foreign(
        source="t:1", project="weld", name="w", created_at=BEGAN, started_at=BEGAN, config={"table": "x" * (16 << 20)}
    )
    with begin(client, foreign) as run:
        run.points("loss", range(30_000), [float(step % 7) for step in range(30_000)], times_ns(30_000))
        run.output("a line of output\n" * 100_000, at=ENDED)
        run.file("model.bin", b"\0" * (LARGEST_FILE_BYTES + 1), at=ENDED)
        run.end(RunState.COMPLETED, at=ENDED)

    look = mirror.look()

    (document,) = db["runs"].find()
    assert len(bson.encode(document)) < 16 << 20
    assert document["config"] == {"runyard": "too large for MongoDB; Runyard has it whole"}
    assert len(document["captured_out"]) <= MOST_OUTPUT_BYTES + 100
    assert document["captured_out"].endswith("a line of output\n")
    (metric,) = db["metrics"].find()
    assert 1000 < len(metric["steps"]) <= MOST_POINTS
    assert (metric["steps"][0], metric["steps"][-1]) == (0, 29_999)
    assert "model.bin" in look.problems[0]
    assert mirror.look().problems == []  # told once


def test_runs_that_came_from_a_database_are_not_mirrored_back_to_it(
    mirror: Mirror, client: Client, mongo: str, db: Any
) -> None:
    place = mongo.removeprefix("mongodb://") + db.name
    a_run(client, source=f"sacred:mongodb://{place}/runs/1")

    mirror.look()

    assert db["runs"].count_documents({}) == 0


def test_two_mirrors_of_one_home_keep_out_of_each_others_way(
    mirror: Mirror, client: Client, mongo: str, db: Any
) -> None:
    with pytest.raises(ConflictError, match="Another `runyard mirror`"):
        Mirror(client, mongo + db.name)


def test_sacred_goes_on_numbering_after_our_runs(
    mirror: Mirror, client: Client, mongo: str, db: Any, sacred: Path, tmp_path: Path
) -> None:
    a_run(client)
    mirror.look()

    program = f"ex.observers.append(MongoObserver(url='{mongo}', db_name='{db.name}'))\nex.run()\n"
    run_sacred(sacred, tmp_path, program)

    assert sorted(each["_id"] for each in db["runs"].find()) == [1, 2]


@pytest.mark.slow
def test_a_database_that_is_away_is_waited_for_told_once_and_caught_up_with(
    sacred: Path, client: Client, tmp_path: Path
) -> None:
    port = free_port()
    uri = f"mongodb://127.0.0.1:{port}/lab?serverSelectionTimeoutMS=200"
    a_run(client)
    command = [sys.executable, "-m", "runyard", "mirror", uri, "--every", "0.1"]
    process = subprocess.Popen(
        command, env=surroundings(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "Mirroring to" in process.stderr.readline()
        assert process.stderr.readline().startswith("Waiting: ")
        with mongo_server(sacred, tmp_path / "mongo", port=port):
            assert "1 run new" in process.stdout.readline()
        assert process.stderr.readline().startswith("Waiting: ")  # it went away in the middle
        a_run(client, 2)
        with mongo_server(sacred, tmp_path / "mongo", port=port):
            assert "1 run new" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=30)[1]
    finally:
        process.kill()
        process.wait(timeout=30)
    assert process.returncode == 0
    assert "Waiting" not in told  # once each time


@pytest.mark.parametrize(
    "how",
    [{"errorCode": 13}, {"errorCode": 10107}, {"blockConnection": True, "blockTimeMS": 1000}],
    ids=["read-only", "secondary", "slow"],
)
def test_a_database_that_takes_nothing_is_caught_up_with(
    client: Client, mongo: str, db: Any, how: dict[str, Any]
) -> None:
    run_id = a_run(client, ended=False)
    before = client.index.get(run_id), sorted(client.folder(run_id).path.rglob("*"))
    uri = f"{mongo}{db.name}?socketTimeoutMS=300&retryWrites=false&serverSelectionTimeoutMS=20000"
    with closing(Mirror(client, uri)) as mirror:
        with failing(mongo, ["insert", "update", "createIndexes"], **how):
            for _ in range(2):
                with pytest.raises(PyMongoError):
                    mirror.look()
        assert (client.index.get(run_id), sorted(client.folder(run_id).path.rglob("*"))) == before

        look = mirror.look()

    assert look.problems == []
    assert [each["info"]["runyard"]["id"] for each in db["runs"].find()] == [run_id]
    assert db["metrics"].find_one()["steps"] == [0, 1, 2]


def test_mirrors_that_number_at_once_take_no_number_twice(mongo: str, db: Any, tmp_path: Path) -> None:
    def mirrored(number: int) -> None:
        with closing(open_client(tmp_path / f"home-{number}")) as home:
            for each in range(5):
                a_run(home, number * 10 + each)
            with closing(Mirror(home, mongo + db.name)) as mirror:
                assert mirror.look().problems == []

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(mirrored, range(3)))

    assert sorted(each["_id"] for each in db["runs"].find({}, {"_id": 1})) == list(range(1, 16))


def test_a_look_that_fails_leaves_the_runs_alone(client: Client) -> None:
    run_id = a_run(client)
    before = client.index.get(run_id)
    nowhere = f"mongodb://127.0.0.1:{free_port()}/x?serverSelectionTimeoutMS=100"
    with closing(Mirror(client, nowhere)) as mirror, pytest.raises(PyMongoError):
        mirror.look()

    assert client.index.get(run_id) == before
    assert not [name for name in os.listdir(client.home.path / "mirrors") if name.endswith(".draft")]


def test_ids_of_metrics_are_object_ids_and_their_text(mirror: Mirror, client: Client, db: Any) -> None:
    a_run(client)
    mirror.look()

    for each in db["runs"].find_one()["info"]["metrics"]:
        assert db["metrics"].find_one({"_id": ObjectId(each["id"])})["name"] == each["name"]
        assert not each["name"].startswith("sys/")
