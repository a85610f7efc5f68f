"""Runs over HTTP: what is written, what is refused, and what Runyard shows of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from runyard.client.reaper import FOREIGN_SILENT_S
from tests.server.mlflow.conftest import Api, a_project
from tests.server.serving import Served

MODEL = '{"artifact_path": "m", "flavors": {}, "utc_time_created": "x", "run_id": "y"}'


@pytest.fixture
def api(either_server: Served) -> Api:
    """A project on each of the two databases."""
    return a_project(either_server)


def test_a_new_run_runs_and_has_a_name(api: Api) -> None:
    info = api.post("runs/create", experiment_id="0", start_time=1000)["run"]["info"]

    assert (info["status"], info["start_time"], info["user_id"]) == ("RUNNING", 1000, "unknown")
    assert info["lifecycle_stage"] == "active"
    assert info["run_name"]
    assert api.data(info["run_id"])["tags"]["mlflow.runName"] == info["run_name"]


def test_the_user_is_that_of_the_tag_if_nobody_is_named(api: Api) -> None:
    run_id = api.run(tags=[{"key": "mlflow.user", "value": "anna"}])

    assert api.get("runs/get", run_id=run_id)["run"]["info"]["user_id"] == "anna"
    assert api.served.client.index.get(run_id).user == "anna"


def test_name_and_tag_of_the_name_stay_equal_both_ways(api: Api) -> None:
    run_id = api.run(run_name="one")
    api.post("runs/set-tag", run_id=run_id, key="mlflow.runName", value="two")
    assert api.get("runs/get", run_id=run_id)["run"]["info"]["run_name"] == "two"

    api.post("runs/update", run_id=run_id, run_name="three")
    assert api.data(run_id)["tags"]["mlflow.runName"] == "three"

    api.served.client.rename(run_id, "four")
    assert api.get("runs/get", run_id=run_id)["run"]["info"]["run_name"] == "four"
    api.refused("runs/create", "different values", run_name="a", tags=[{"key": "mlflow.runName", "value": "b"}])


@pytest.mark.parametrize(("status", "state"), [("FINISHED", "COMPLETED"), ("FAILED", "FAILED"), ("KILLED", "STOPPED")])
def test_an_end_is_told_truthfully(api: Api, status: str, state: str) -> None:
    run_id = api.run(start_time=1_700_000_000_000)

    info = api.post("runs/update", run_id=run_id, status=status, end_time=1_700_000_060_000)["run_info"]

    assert (info["status"], info["end_time"]) == (status, 1_700_000_060_000)
    row = api.served.client.index.get(run_id)
    assert (row.state, row.duration_s) == (state, 60.0)
    assert row.ended_at == datetime.fromtimestamp(1_700_000_060, UTC)


def test_a_run_may_be_announced_before_it_runs(api: Api) -> None:
    run_id = api.run()

    info = api.post("runs/update", run_id=run_id, status="SCHEDULED")["run_info"]

    assert info["status"] == "SCHEDULED"
    assert api.found("status = 'SCHEDULED'") == [info["run_name"]]
    api.refused("runs/update", "Invalid value \"DONE\" for parameter 'status'", run_id=run_id, status="DONE")


def test_a_run_that_goes_on_after_its_end_runs_again(api: Api) -> None:
    run_id = api.run()
    api.metric(run_id, "loss", 1.0, step=0)
    api.post("runs/update", run_id=run_id, status="FINISHED", end_time=2000)

    info = api.post("runs/update", run_id=run_id, status="RUNNING")["run_info"]
    api.metric(run_id, "loss", 0.5, step=1)

    assert info["status"] == "RUNNING"
    assert "end_time" not in info
    assert api.served.client.index.get(run_id).state == "RUNNING"
    api.post("runs/update", run_id=run_id, status="FINISHED")
    assert len(api.get("metrics/get-history", run_id=run_id, metric_key="loss")["metrics"]) == 2
    assert api.served.client.index.get(run_id).state == "COMPLETED"


def test_a_silent_run_is_lost_and_found_when_something_is_heard(api: Api) -> None:
    client, run_id = api.served.client, api.run()
    heard = client.folder(run_id).attempt(1)

    client.reap(max(heard.journal(name).stat().st_mtime for name in heard.streams()) + FOREIGN_SILENT_S - 60)
    assert api.get("runs/get", run_id=run_id)["run"]["info"]["status"] == "RUNNING"
    client.reap(max(heard.journal(name).stat().st_mtime for name in heard.streams()) + FOREIGN_SILENT_S + 60)

    row = client.index.get(run_id)
    assert (row.state, "nothing was heard" in row.reason) == ("LOST", True)
    assert api.get("runs/get", run_id=run_id)["run"]["info"]["status"] == "FAILED"
    api.post("runs/update", run_id=run_id, status="RUNNING")
    api.post("runs/update", run_id=run_id, status="FINISHED")
    assert client.index.get(run_id).state == "COMPLETED"


def test_what_a_client_logs_looks_like_any_run(api: Api) -> None:
    parent = api.run(api.experiment("depth"))
    run_id = api.run(
        "1",
        run_name="r",
        tags=[
            {"key": "stage", "value": "prod"},
            {"key": "mlflow.parentRunId", "value": parent},
            {"key": "mlflow.source.git.commit", "value": "abc123"},
            {"key": "mlflow.note.content", "value": "the good one"},
        ],
    )
    params = [
        {"key": "optim.lr", "value": "1e-3"},
        {"key": "optim.name", "value": "adam"},
        {"key": "amp", "value": "True"},
    ]
    api.post("runs/log-batch", run_id=run_id, params=params)
    api.metric(run_id, "val/loss", 0.25, step=3, at=1_700_000_000_123)

    client = api.served.client
    client.index.catch_up(run_id)
    (row,) = client.index.find('config.optim.lr < 0.01 and metric["val/loss"].last < 0.3 and "stage=prod" in tags')
    assert (row.id, row.project, row.experiment, row.parent) == (run_id, api.project, "depth", parent)
    assert row.config == {"optim": {"lr": 0.001, "name": "adam"}, "amp": True}
    assert (row.note, row.code.commit, row.source) == ("the good one", "abc123", "mlflow")
    series = client.index.series(run_id, "val/loss")
    assert (series.steps.tolist(), series.times.tolist()) == ([3], [1_700_000_000_123_000_000])


def test_everything_survives_a_reindex(api: Api) -> None:
    run_id = api.run()
    api.post("runs/log-batch", run_id=run_id, params=[{"key": "a", "value": "01"}], tags=[{"key": "t", "value": "x"}])
    api.metric(run_id, "m", 1.0, step=5)
    api.post("runs/set-tag", run_id=run_id, key="t", value="y")
    before = api.get("runs/get", run_id=run_id)

    api.served.client.reindex()

    assert api.get("runs/get", run_id=run_id) == before
    assert api.data(run_id)["params"] == {"a": "01"}


def test_a_param_keeps_its_value(api: Api) -> None:
    run_id = api.run()
    api.post("runs/log-parameter", run_id=run_id, key="a", value="1")
    api.post("runs/log-parameter", run_id=run_id, key="a", value="1")
    api.post("runs/log-parameter", run_id=run_id, key="empty", value="")

    api.refused("runs/log-parameter", "Changing param values is not allowed", run_id=run_id, key="a", value="2")
    api.refused(
        "runs/log-batch",
        "Changing param values is not allowed",
        run_id=run_id,
        params=[{"key": "b", "value": "1"}, {"key": "a", "value": "2"}],
    )
    api.refused(
        "runs/log-batch",
        "Changing param values is not allowed",
        run_id=run_id,
        params=[{"key": "c", "value": "1"}, {"key": "c", "value": "2"}],
    )
    assert api.data(run_id)["params"] == {"a": "1", "empty": ""}


def test_a_batch_is_checked_whole_before_anything_is_written(api: Api) -> None:
    run_id = api.run()
    metric = {"key": "m", "value": 1, "timestamp": 1}

    api.refused(
        "runs/log-batch",
        "",
        run_id=run_id,
        metrics=[metric, {**metric, "key": "../x"}],
        params=[{"key": "p", "value": "1"}],
    )

    assert api.data(run_id)["metrics"] == api.data(run_id)["params"] == {}


@pytest.mark.parametrize(
    ("batch", "part"),
    [
        ({"metrics": [{"key": "m", "value": 1, "timestamp": 1}] * 1001}, "at most 1000 metrics"),
        ({"params": [{"key": f"p{n}", "value": "1"} for n in range(101)]}, "at most 100 params"),
        ({"tags": [{"key": f"t{n}", "value": "1"} for n in range(101)]}, "at most 100 tags"),
        (
            {
                "metrics": [{"key": "m", "value": 1, "timestamp": 1}] * 950,
                "params": [{"key": f"p{n}", "value": "1"} for n in range(60)],
            },
            "at most 1000 metrics, params, and tags",
        ),
        (
            {
                "tags": [{"key": f"t{n}", "value": "x" * 7999} for n in range(100)],
                "params": [{"key": f"p{n}", "value": "y" * 5999} for n in range(50)],
            },
            "must be at most 1000000 bytes",
        ),
        ({"metrics": [{"key": "m" * 251, "value": 1, "timestamp": 1}]}, "exceeds the maximum length"),
        ({"params": [{"key": "p", "value": "x" * 6001}]}, "exceeds the maximum length"),
        ({"tags": [{"key": "t", "value": "x" * 8001}]}, "exceeds the maximum length"),
        ({"metrics": [{"key": "m", "value": 1, "timestamp": -1}]}, "Timestamp must be"),
        ({"metrics": [{"key": "m", "value": 1, "timestamp": 2**62}]}, "up to the year 2262"),
    ],
)
def test_limits_of_a_batch(api: Api, batch: dict[str, object], part: str) -> None:
    api.refused("runs/log-batch", part, run_id=api.run(), **batch)


def test_what_is_just_within_the_limits_is_taken(api: Api) -> None:
    run_id, key = api.run(), "k" * 250
    metrics = [{"key": key, "value": n, "timestamp": n, "step": n} for n in range(800)]
    params = [{"key": key, "value": "v" * 6000}] + [{"key": f"p{n}", "value": ""} for n in range(99)]
    tags = [{"key": key, "value": "t" * 8000}] + [{"key": f"t{n}", "value": ""} for n in range(99)]

    assert api.post("runs/log-batch", run_id=run_id, metrics=metrics, params=params, tags=tags) == {}

    data = api.data(run_id)
    assert (data["metrics"][key], len(data["params"][key]), len(data["tags"][key])) == (799, 6000, 8000)
    assert len(data["params"]) == 100
    more = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(1000)]
    api.post("runs/log-batch", run_id=run_id, metrics=more)


@pytest.mark.parametrize("name", ["a\nb", "\u2028", "x" * 400])
def test_a_name_in_a_batch_is_one_that_the_run_can_have(api: Api, name: str) -> None:
    run_id = api.run()

    api.post("runs/log-batch", run_id=run_id, tags=[{"key": "mlflow.runName", "value": name}])

    assert api.served.client.index.get(run_id).name.isprintable()


def test_many_clients_write_at_once_and_nothing_is_lost(api: Api) -> None:
    shared, n_clients, n_batches = api.run(), 3, 3
    own = [api.run() for _ in range(n_clients)]

    def work(number: int) -> None:
        for batch in range(n_batches):
            steps = range(batch * 20, batch * 20 + 20)
            for run_id in (shared, own[number]):
                metrics = [{"key": f"m{number}", "value": n, "timestamp": n, "step": n} for n in steps]
                params = [{"key": f"p{number}-{batch}", "value": "1"}]
                api.post("runs/log-batch", run_id=run_id, metrics=metrics, params=params)

    with ThreadPoolExecutor(n_clients) as pool:
        list(pool.map(work, range(n_clients)))

    for run_id, keys in ((shared, range(n_clients)), *((own[number], [number]) for number in range(n_clients))):
        assert len(api.data(run_id)["params"]) == n_batches * len(keys)
        for number in keys:
            points = api.get("metrics/get-history", run_id=run_id, metric_key=f"m{number}")["metrics"]
            assert [point["step"] for point in points] == list(range(n_batches * 20))


@pytest.mark.parametrize("key", ["../a", "/a", "a//b", "./a", "a/../b", "a\\b", "a$", "a\n", "", "a#b", "."])
def test_keys_are_clean_relative_paths(api: Api, key: str) -> None:
    run_id = api.run()
    for path in ("runs/log-parameter", "runs/set-tag"):
        api.refused(path, "", run_id=run_id, key=key, value="1")
    api.refused("runs/log-metric", "", run_id=run_id, key=key, value=1, timestamp=1)


@pytest.mark.parametrize("key", ["a", "train/loss", "a b", "a.b-c_d:e", "größe"])
def test_keys_may_hold_letters_digits_and_a_few_signs(api: Api, key: str) -> None:
    run_id = api.run()
    api.post("runs/log-parameter", run_id=run_id, key=key, value="1")
    api.post("runs/set-tag", run_id=run_id, key=key, value="1")
    api.metric(run_id, key, 1)
    assert [list(found) for found in api.data(run_id).values()][:2] == [[key], [key]]


def test_tags_are_replaced_and_deleted_here_and_there(api: Api) -> None:
    run_id = api.run()
    for value in ("dev", "prod"):
        api.post("runs/set-tag", run_id=run_id, key="stage", value=value)
    api.served.client.index.catch_up(run_id)
    assert api.served.client.index.get(run_id).tags == ("stage=prod",)

    api.post("runs/delete-tag", run_id=run_id, key="stage")

    assert "stage" not in api.data(run_id)["tags"]
    assert api.served.client.index.get(run_id).tags == ()
    api.refused("runs/delete-tag", "No tag with name: stage", answer=404, run_id=run_id, key="stage")
    api.refused("runs/set-tag", "not for clients", run_id=run_id, key="runyard.mlflow", value="{}")


def test_a_deleted_run_takes_nothing_and_comes_back(api: Api) -> None:
    run_id = api.run(run_name="gone")
    api.post("runs/delete", run_id=run_id)

    for path, more in (
        ("log-metric", {"key": "a", "value": 1, "timestamp": 1}),
        ("log-parameter", {"key": "a", "value": "1"}),
        ("set-tag", {"key": "a", "value": "1"}),
        ("log-batch", {}),
        ("update", {"status": "FINISHED"}),
        ("delete-tag", {"key": "a"}),
        ("log-inputs", {"datasets": []}),
        ("outputs", {"models": [{"model_id": "m-0", "step": 1}]}),
        ("log-model", {"model_json": MODEL}),
    ):
        api.refused(f"runs/{path}", "The run ID must be in the 'active' state", run_id=run_id, **more)
    assert api.found("") == []
    assert api.found("", run_view_type="DELETED_ONLY") == api.found("", run_view_type="ALL") == ["gone"]

    api.post("runs/restore", run_id=run_id)
    api.metric(run_id, "a", 1)
    assert api.found("") == ["gone"]


@pytest.mark.parametrize("run_id", ["0123456789", "f" * 32, "../etc", "x"])
def test_a_run_that_is_not_there_is_told_so(api: Api, run_id: str) -> None:
    response = api.send("GET", "/api/2.0/mlflow/runs/get", params={"run_id": run_id})

    assert response.status_code in (400, 404)
    if response.status_code == 404:
        assert f"Run with id={run_id} not found" in response.json()["message"]
    answer = api.send(
        "POST", "/api/2.0/mlflow/runs/log-metric", json={"run_id": run_id, "key": "a", "value": 1, "timestamp": 1}
    )
    assert answer.status_code in (400, 404)


def test_a_run_of_another_project_is_not_there(api: Api) -> None:
    run_id = api.run()
    other = Api(api.served, f"{api.project}-other")

    assert other.get("runs/get", 404, run_id=run_id)["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    other.refused("runs/log-metric", "not found", answer=404, run_id=run_id, key="a", value=1, timestamp=1)
    other.refused("runs/delete", "not found", answer=404, run_id=run_id)


def test_a_model_of_an_old_client_is_kept_in_a_tag(api: Api) -> None:
    run_id = api.run()

    for _ in range(2):
        api.post("runs/log-model", run_id=run_id, model_json=MODEL)

    assert api.data(run_id)["tags"]["mlflow.log-model.history"].count('"artifact_path"') == 2
    api.refused("runs/log-model", "missing mandatory fields", run_id=run_id, model_json="{}")
    api.refused("runs/log-model", "not a valid JSON", run_id=run_id, model_json="{")


def test_two_servers_of_one_home_agree(api: Api) -> None:
    from tests.server.serving import serving

    run_id = api.run()
    api.metric(run_id, "a", 1.0)
    with serving(api.served.path) as second:
        other = Api(second, api.project)
        other.metric(run_id, "b", 2.0)
        other.post("runs/log-parameter", run_id=run_id, key="p", value="1")
        api.metric(run_id, "a", 3.0, step=1)
        api.refused("runs/log-parameter", "Changing param values", run_id=run_id, key="p", value="2")
        number = other.experiment("there")
        assert api.get("experiments/get", experiment_id=number)["experiment"]["name"] == "there"

    assert api.data(run_id)["metrics"] == {"a": 3.0, "b": 2.0}
