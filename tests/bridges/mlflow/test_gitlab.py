"""Runs are brought to GitLab's experiments, which speak a part of MLflow's dialect."""

import math
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runyard.bridges.intake import Foreign, begin
from runyard.bridges.mlflow.exporting import MARK, bring
from runyard.client import Client, open_client
from runyard.errors import LoginNeeded
from runyard.index import RunRow
from runyard.records import RunState
from tests.bridges.mlflow.gitlab import TOKEN, GitLab, serving_gitlab

BEGAN = datetime(2024, 5, 3, 12, 0, tzinfo=UTC)
BEGAN_NS = int(BEGAN.timestamp()) * 10**9


@pytest.fixture(scope="module")
def server() -> Iterator[GitLab]:
    with serving_gitlab() as server:
        yield server


@pytest.fixture
def gitlab(server: GitLab, monkeypatch: pytest.MonkeyPatch) -> GitLab:
    """An empty project."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    server.experiments, server.runs, server.files, server.asked = {}, {}, {}, []
    server.knows_folders, server.elsewhere, server.rests = True, "", 0
    return server


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


def add(client: Client, **files: bytes) -> RunRow:
    config = {"optim": {"lr": 0.1}, "text": "x" * 900}
    foreign = Foreign(
        source="made:1", project="weld", name="one", created_at=BEGAN, started_at=BEGAN, config=config, tags=("paper",)
    )
    with begin(client, foreign) as run:
        run.points("loss", [0, 1, 2], [2.0, math.nan, 1.0], [BEGAN_NS] * 3)
        for name, content in files.items():
            run.file(name.replace("__", "/"), content, at=BEGAN)
        run.end(RunState.COMPLETED, at=BEGAN + timedelta(minutes=1))
    return client.index.get(run.id)


def test_a_run_arrives_once_with_all_that_gitlab_holds(client: Client, gitlab: GitLab) -> None:
    row = add(client, model__weights=b"123")

    first, again = (bring(client, gitlab.uri, [row]) for _ in range(2))

    assert (first.new, again.new, again.known, again.problems) == (1, 0, 1, [])
    (run,) = gitlab.runs.values()
    assert gitlab.experiments == {"weld": "1"}
    assert (run["info"]["run_name"], run["info"]["status"]) == ("one", "FINISHED")
    assert run["info"]["end_time"] == (BEGAN_NS + 60 * 10**9) // 10**6
    assert run["params"]["optim.lr"] == "0.1"
    assert [(point["step"], point["value"]) for point in run["metrics"]] == [(0, 2.0), (2, 1.0)]
    assert (run["tags"][MARK], run["tags"]["paper"]) == (row.id, "")
    assert gitlab.files == {"candidate:1/files/model/weights": b"123"}


def test_what_gitlab_cannot_hold_is_told(client: Client, gitlab: GitLab) -> None:
    row = add(client)

    done = bring(client, gitlab.uri, [row])

    assert done.problems == [
        f"param text of run {row.id}: only 250 of its 900 characters fit.",
        f"metric loss of run {row.id}: the server has no NaN and no infinity; 1 of its points were left out.",
    ]
    assert len(next(iter(gitlab.runs.values()))["params"]["text"]) == 250


def test_files_of_folders_get_other_names_where_there_are_none(client: Client, gitlab: GitLab) -> None:
    gitlab.knows_folders = False

    done = bring(client, gitlab.uri, [add(client, model__weights=b"123", plain=b"4")])

    assert sorted(gitlab.files) == ["candidate:1/files/model__weights", "candidate:1/files/plain"]
    assert [each for each in done.problems if "is called model__weights there" in each]


def test_the_token_is_shown_to_nobody_else(client: Client, gitlab: GitLab) -> None:
    with serving_gitlab() as other:
        gitlab.elsewhere = f"{other.address}/files/"

        done = bring(client, gitlab.uri, [add(client, plain=b"4")])

        assert other.asked == []
    assert [each for each in done.problems if "takes no files" in each]


def test_too_many_requests_are_asked_again(client: Client, gitlab: GitLab) -> None:
    gitlab.rests = 2

    assert bring(client, gitlab.uri, [add(client)]).new == 1


def test_a_token_that_may_not_write_is_told_what_it_lacks(
    client: Client, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "wrong")

    with pytest.raises(LoginNeeded, match="scope `api` and at least the role Developer"):
        bring(client, gitlab.uri, [add(client)])


def test_only_what_gitlab_documents_is_asked(client: Client, gitlab: GitLab) -> None:
    bring(client, gitlab.uri, [add(client, plain=b"1")])

    prefix = "/api/v4/projects/7/ml/mlflow/api/2.0/mlflow/"
    assert {each.partition(" ")[2].removeprefix(prefix) for each in gitlab.asked} == {
        "experiments/get-by-name",
        "experiments/create",
        "runs/search",
        "runs/create",
        "runs/log-batch",
        "runs/update",
        "/api/v4/projects/7/packages/ml_models/candidate:1/files/plain",
    }
