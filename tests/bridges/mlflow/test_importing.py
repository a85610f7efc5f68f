"""MLflow's stores are taken in whole, once, and what cannot be read is named."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runyard.bridges.intake import Imported
from runyard.bridges.mlflow.exporting import MARK, bring
from runyard.bridges.mlflow.importing import reader_of, take_in
from runyard.cli.main import run
from runyard.client import Client, open_client
from runyard.errors import ServiceError, UsageError
from tests.server.mlflow.conftest import Api
from tests.server.serving import Served, serving

STARTED_MS = 1_700_000_000_000


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("there") / "home") as served:
        yield served


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def a_folder(root: Path, run_id: str = "a" * 32, **meta: object) -> Path:
    """A folder as the file store of MLflow 2 leaves it, with one run."""
    write(root / "7" / "meta.yaml", "experiment_id: '7'\nname: depth\nlifecycle_stage: active\n")
    folder = root / "7" / run_id
    known = {"run_id": run_id, "run_name": "old one", "user_id": "anna", "status": 3, "start_time": STARTED_MS,
             "end_time": STARTED_MS + 60_000, "lifecycle_stage": "active"}  # fmt: skip
    write(folder / "meta.yaml", "".join(f"{key}: {json.dumps(value)}\n" for key, value in (known | meta).items()))
    write(folder / "params" / "optim.lr", "1e-3")
    write(folder / "tags" / "stage", "prod")
    write(folder / "tags" / "mlflow.note.content", "two\nlines")
    lines = [f"{STARTED_MS + step * 1000} {1 / (step + 1)} {step}" for step in range(5)]
    write(folder / "metrics" / "val" / "loss", "\n".join(lines) + "\n")
    write(folder / "artifacts" / "out" / "a.txt", "hello")
    return folder


def a_database(path: Path) -> Path:
    """An SQLite file with the columns that all versions of MLflow have."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            f"""
            CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT);
            CREATE TABLE runs (run_uuid TEXT, name TEXT, user_id TEXT, status TEXT, start_time INTEGER,
                end_time INTEGER, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
            CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, step INTEGER, is_nan BOOLEAN, run_uuid TEXT);
            INSERT INTO experiments VALUES (1, 'depth', 'x', 'active'), (2, 'gone', 'x', 'deleted');
            INSERT INTO runs VALUES
                ('b1', 'one', 'anna', 'FAILED', {STARTED_MS}, {STARTED_MS + 5000}, 'active',
                    'mlruns/1/b1/artifacts', 1),
                ('b2', 'kid', 'anna', 'FINISHED', {STARTED_MS}, {STARTED_MS}, 'active', 'file:///etc', 1),
                ('b3', 'deleted', 'anna', 'FINISHED', 1, 1, 'deleted', '', 1),
                ('b4', 'x', '', 'FINISHED', 1, 1, 'active', '', 2);
            INSERT INTO params VALUES ('a', '1', 'b1');
            INSERT INTO tags VALUES ('mlflow.parentRunId', 'b1', 'b2');
            INSERT INTO metrics VALUES ('m', 0.5, {STARTED_MS}, 0, 0, 'b1'), ('m', 0, {STARTED_MS}, 1, 1, 'b1');
            """
        )
    write(path.parent / "mlruns" / "1" / "b1" / "artifacts" / "a.txt", "hello")
    return path


def imported(client: Client, source: str) -> Imported:
    reader = reader_of(source)
    with closing(reader):
        return take_in(client, reader, project="weld")


def test_a_folder_is_taken_in_whole(client: Client, tmp_path: Path) -> None:
    a_folder(tmp_path / "mlruns")

    done = imported(client, str(tmp_path))

    assert (done.new, done.problems) == (1, [])
    (row,) = client.index.find('config.optim.lr < 0.01 and "stage=prod" in tags')
    assert (row.name, row.project, row.experiment, row.user, row.state) == (
        "old one",
        "weld",
        "depth",
        "anna",
        "COMPLETED",
    )
    assert (row.note, row.duration_s, row.labels["stage"]) == ("two\nlines", 60.0, "prod")
    series = client.index.series(row.id, "val/loss")
    assert series.times.tolist() == [(STARTED_MS + step * 1000) * 1_000_000 for step in range(5)]
    (file,) = client.index.artifacts(row.id)
    assert (file.name, client.artifacts.path(file.sha256).read_bytes()) == ("out/a.txt", b"hello")


def test_a_database_is_taken_in_whole_and_reads_no_file_elsewhere(client: Client, tmp_path: Path) -> None:
    path = a_database(tmp_path / "mlflow.db")

    done = imported(client, f"sqlite:///{path}")

    assert done.new == 2
    assert len(done.problems) == 1
    assert "file:///etc, which is not beside the file" in done.problems[0]
    rows = {row.name: row for row in client.index.find()}
    assert (rows["one"].state, rows["kid"].parent) == ("FAILED", rows["one"].id)
    assert [repr(value) for value in client.index.series(rows["one"].id, "m").values.tolist()] == ["0.5", "nan"]
    assert [file.name for file in client.index.artifacts(rows["one"].id)] == ["a.txt"]


def test_a_server_is_taken_in_whole(client: Client, server: Served) -> None:
    there = Api(server, "whole")
    number = there.experiment("depth")
    parent = there.run(number, run_name="parent", start_time=STARTED_MS)
    run_id = there.run(number, run_name="kid", tags=[{"key": "mlflow.parentRunId", "value": parent}])
    there.post("runs/log-batch", run_id=run_id, params=[{"key": "a.b", "value": "1"}])
    for step in range(3):
        there.metric(run_id, "loss", 1.0 / (step + 1), step=step, at=STARTED_MS + step)
    there.send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{number}/{run_id}/artifacts/d/a.txt", content=b"hello")
    for each in (parent, run_id):
        there.post("runs/update", run_id=each, status="FINISHED")

    done = imported(client, f"http://127.0.0.1:{server.port}/mlflow/whole")

    assert (done.new, done.problems) == (2, [])
    rows = {row.name: row for row in client.index.find()}
    assert (rows["kid"].parent, rows["kid"].experiment, rows["kid"].config) == (
        rows["parent"].id,
        "depth",
        {"a": {"b": 1}},
    )
    assert len(client.index.series(rows["kid"].id, "loss")) == 3
    assert [file.name for file in client.index.artifacts(rows["kid"].id)] == ["d/a.txt"]


def test_importing_again_brings_nothing_twice(client: Client, tmp_path: Path) -> None:
    a_folder(tmp_path / "mlruns")
    imported(client, str(tmp_path))

    done = imported(client, str(tmp_path))

    assert (done.new, done.continued, done.known) == (0, 0, 1)
    assert client.index.count() == 1


def test_a_run_that_still_ran_is_gone_on_with(client: Client, tmp_path: Path) -> None:
    import time

    now_ms = int(time.time() * 1000)
    folder = a_folder(tmp_path / "mlruns", status=1, start_time=now_ms, end_time=None)
    imported(client, str(tmp_path))
    assert client.index.find()[0].state == "RUNNING"
    with (folder / "metrics" / "val" / "loss").open("a") as file:
        file.write(f"{now_ms} 0.1 5\n")
    a_meta = (folder / "meta.yaml").read_text().replace("status: 1", "status: 3")
    (folder / "meta.yaml").write_text(a_meta.replace("end_time: null", f"end_time: {now_ms}"))

    done = imported(client, str(tmp_path))

    assert (done.new, done.continued) == (0, 1)
    (row,) = client.index.find()
    assert (row.state, client.index.series(row.id, "val/loss").steps.tolist()) == ("COMPLETED", [0, 1, 2, 3, 4, 5])
    assert len(client.index.artifacts(row.id)) == 1


def test_a_run_that_says_running_for_ever_is_lost(client: Client, tmp_path: Path) -> None:
    a_folder(tmp_path / "mlruns", status=1, end_time=None)

    imported(client, str(tmp_path))

    (row,) = client.index.find()
    assert (row.state, "nothing was logged since" in row.reason) == ("LOST", True)


def test_what_cannot_be_read_is_named_and_keeps_nothing_else_from_coming(client: Client, tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    for number in range(4):
        a_folder(root, f"{number}" * 32)
    (root / "7" / ("0" * 32) / "meta.yaml").unlink()
    (root / "7" / ("1" * 32) / "meta.yaml").write_text("{: broken")
    (root / "7" / ("2" * 32) / "metrics" / "val" / "loss").write_text("1 0.5 0\nnonsense\n3 0.25 1\n")

    done = imported(client, str(tmp_path))

    assert done.new == 2
    assert [
        part in problem
        for part, problem in zip(
            ("0000/meta.yaml is missing", "1111/meta.yaml cannot be read", "loss, line 2"),
            sorted(done.problems),
            strict=True,
        )
    ] == [True] * 3
    assert sorted(len(client.index.series(row.id, "val/loss")) for row in client.index.find()) == [2, 5]


def test_an_experiment_without_its_file_gives_its_folder_as_its_name(client: Client, tmp_path: Path) -> None:
    a_folder(tmp_path / "mlruns")
    (tmp_path / "mlruns" / "7" / "meta.yaml").unlink()

    done = imported(client, str(tmp_path))

    assert (done.new, len(done.problems), client.index.find()[0].experiment) == (1, 1, "7")


@pytest.mark.parametrize(
    "source", ["nowhere", "sqlite:///nowhere.db", "ftp://host/x", "{tmp}", "{tmp}/text", "http://u:p@host"]
)
def test_what_is_no_source_is_told_so(tmp_path: Path, source: str) -> None:
    write(tmp_path / "text", "no database")
    with pytest.raises(UsageError):
        reader_of(source.replace("{tmp}", str(tmp_path)))


def test_a_server_that_is_away_is_told_so() -> None:
    with pytest.raises(ServiceError, match="cannot be reached"):
        reader_of("http://127.0.0.1:9")


def test_experiments_are_chosen_by_name_and_one_that_is_not_there_is_told_so(server: Served, tmp_path: Path) -> None:
    a_folder(tmp_path / "mlruns")
    write(tmp_path / "mlruns" / "8" / "meta.yaml", "experiment_id: '8'\nname: other\nlifecycle_stage: active\n")
    write(tmp_path / "mlruns" / "8" / ("d" * 32) / "meta.yaml", "run_id: other\n")
    there = Api(server, "chosen")
    there.run(there.experiment("depth"), run_name="deep")
    there.run()
    sources = (str(tmp_path), str(a_database(tmp_path / "mlflow.db")), f"http://127.0.0.1:{server.port}/mlflow/chosen")

    for source in sources:
        with pytest.raises(UsageError, match=r"has no experiment 'wide'. It has: .*'depth'"):
            reader_of(source, experiments=["depth", "wide"])
        with closing(reader_of(source, experiments=["depth"])) as reader:
            assert {run.experiment for run in reader.runs()} == {"depth"}
            assert reader.count() == len(list(reader.runs()))


def test_the_command_ends_with_1_if_anything_was_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    folder = a_folder(tmp_path / "mlruns")
    assert run(["import", "mlflow", str(tmp_path / "mlruns"), "--project", "weld"]) == 0
    assert "1 run imported into weld" in capsys.readouterr().out
    a_folder(tmp_path / "mlruns", "c" * 32)
    (folder / "meta.yaml").unlink()

    assert run(["import", "mlflow", str(tmp_path / "mlruns"), "--project", "weld", "--json"]) == 1

    shown = capsys.readouterr()
    assert json.loads(shown.out)["new"] == 1
    assert "meta.yaml is missing" in shown.err


def test_runs_are_brought_to_a_server_once(client: Client, server: Served, tmp_path: Path) -> None:
    a_folder(tmp_path / "mlruns")
    imported(client, str(tmp_path))
    uri = f"http://127.0.0.1:{server.port}/mlflow/gitlab"

    first, again = (bring(client, uri, client.index.find()) for _ in range(2))

    assert (first.new, first.problems, again.new, again.known) == (1, [], 0, 1)
    there = Api(server, "gitlab")
    number = there.get("experiments/get-by-name", experiment_name="depth")["experiment"]["experiment_id"]
    (brought,) = there.post("runs/search", experiment_ids=[number])["runs"]
    info, data = brought["info"], there.data(brought["info"]["run_id"])
    assert (info["run_name"], info["status"], info["start_time"], info["end_time"]) == (
        "old one",
        "FINISHED",
        STARTED_MS,
        STARTED_MS + 60_000,
    )
    assert data["params"] == {"optim.lr": "0.001"}
    assert data["tags"][MARK] == client.index.find()[0].id
    assert len(there.get("metrics/get-history", run_id=info["run_id"], metric_key="val/loss")["metrics"]) == 5
    assert there.get("artifacts/list", run_id=info["run_id"], path="out")["files"][0]["path"] == "out/a.txt"
