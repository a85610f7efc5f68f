"""Logged models and datasets."""

import pytest

from tests.server.mlflow.conftest import Api

TREE = "/api/2.0/mlflow-artifacts/artifacts"


def a_model(api: Api, run_id: str = "", **more: object) -> str:
    made = api.post("logged-models", experiment_id="0", source_run_id=run_id, **more)
    return str(made["model"]["info"]["model_id"])


def found(api: Api, text: str = "", **more: object) -> list[str]:
    answer = api.post("logged-models/search", experiment_ids=["0"], filter=text, **more)
    return [each["info"]["name"] for each in answer.get("models", ())]


def test_a_model_begins_pending_and_gets_ready(api: Api) -> None:
    run_id = api.run()
    info = api.post(
        "logged-models", experiment_id="0", name="net", model_type="cnn", source_run_id=run_id,
        params=[{"key": "depth", "value": "3"}], tags=[{"key": "a", "value": "b"}],
    )["model"]["info"]  # fmt: skip

    ready = api.send(
        "PATCH", f"/api/2.0/mlflow/logged-models/{info['model_id']}", json={"status": "LOGGED_MODEL_READY"}
    )

    assert info["status"] == "LOGGED_MODEL_PENDING"
    assert info["model_id"].startswith("m-")
    assert len(info["model_id"]) == 34
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/models/{info['model_id']}/artifacts"
    model = api.get(f"logged-models/{info['model_id']}")["model"]
    assert model == ready.json()["model"]
    assert (model["info"]["status"], model["info"]["name"], model["info"]["source_run_id"]) == (
        "LOGGED_MODEL_READY",
        "net",
        run_id,
    )
    assert model["data"] == {"params": [{"key": "depth", "value": "3"}]}
    assert model["info"]["tags"] == [{"key": "a", "value": "b"}]


def test_params_and_tags_come_later_too(api: Api) -> None:
    model = a_model(api)
    path = f"/api/2.0/mlflow/logged-models/{model}"

    api.post(f"logged-models/{model}/params", params=[{"key": "p", "value": "1"}])
    api.send("PATCH", f"{path}/tags", json={"tags": [{"key": "a/b", "value": "1"}, {"key": "c", "value": "2"}]})
    assert api.send("DELETE", f"{path}/tags/a%2Fb").json() == {}

    found = api.get(f"logged-models/{model}")["model"]
    assert (found["data"]["params"], found["info"]["tags"]) == (
        [{"key": "p", "value": "1"}],
        [{"key": "c", "value": "2"}],
    )
    assert api.send("DELETE", f"{path}/tags/a").status_code == 404
    api.refused(f"logged-models/{model}/params", "Changing param values", params=[{"key": "p", "value": "2"}])


def test_a_deleted_model_is_gone(api: Api) -> None:
    model = a_model(api)

    assert api.send("DELETE", f"/api/2.0/mlflow/logged-models/{model}").json() == {}

    assert api.get(f"logged-models/{model}", 404)["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_metrics_of_a_model_show_in_the_model_and_in_its_run(api: Api) -> None:
    run_id = api.run()
    model = a_model(api, run_id)
    about = {"model_id": model, "dataset_name": "mnist", "dataset_digest": "d1"}

    for step, value in ((0, 0.5), (1, 0.25)):
        api.post("runs/log-metric", run_id=run_id, key="loss", value=value, timestamp=5, step=step, **about)
    api.post(
        "runs/log-batch", run_id=run_id, metrics=[{"key": "odd", "value": "NaN", "timestamp": 1, "model_id": model}]
    )

    metrics = {each["key"]: each for each in api.get(f"logged-models/{model}")["model"]["data"]["metrics"]}
    assert (metrics["loss"]["value"], metrics["loss"]["run_id"], metrics["odd"]["value"]) == (0.25, run_id, "NaN")
    history = api.get("metrics/get-history", run_id=run_id, metric_key="loss")["metrics"]
    assert [(each["step"], each["model_id"], each["dataset_name"]) for each in history] == [
        (0, model, "mnist"),
        (1, model, "mnist"),
    ]


def test_where_no_models_are_there_is_nothing_to_find(api: Api) -> None:
    assert api.post("logged-models/search", experiment_ids=["0"], filter="name = 'artifacts'") == {}


def test_pages_of_models_end_and_their_tokens_belong_to_one_question(api: Api) -> None:
    for name in ("a", "b", "c"):
        a_model(api, name=name)
    first = api.post("logged-models/search", experiment_ids=["0"], max_results=2)
    token = first["next_page_token"]

    second = api.post("logged-models/search", experiment_ids=["0"], max_results=2, page_token=token)

    assert sorted(each["info"]["name"] for each in first["models"] + second["models"]) == ["a", "b", "c"]
    assert "next_page_token" not in second
    assert "next_page_token" not in api.post("logged-models/search", experiment_ids=["0"], max_results=3)
    api.refused("logged-models/search", "page token", experiment_ids=["0"], filter="name = 'a'", page_token=token)


def test_models_are_found(api: Api) -> None:
    run_id = api.run()
    first = a_model(api, run_id, name="one", params=[{"key": "depth", "value": "3"}])
    a_model(api, name="two", tags=[{"key": "t", "value": "x"}])
    api.post(
        "runs/log-metric",
        run_id=run_id,
        key="acc",
        value=0.9,
        timestamp=1,
        model_id=first,
        dataset_name="d",
        dataset_digest="1",
    )

    assert set(found(api)) == {"one", "two"}
    assert found(api, "metrics.acc > 0.5") == found(api, "params.depth = '3'") == ["one"]
    assert found(api, "metrics.acc > 0.5", datasets=[{"dataset_name": "d"}]) == ["one"]
    assert found(api, "metrics.acc > 0.5", datasets=[{"dataset_name": "other"}]) == []
    assert found(api, "name = 'two'") == found(api, "tags.t = 'x'") == ["two"]
    assert found(api, "status = 'PENDING' AND source_run_id != ''") == ["one"]
    assert found(api, order_by=[{"field_name": "name", "ascending": False}]) == ["two", "one"]
    assert found(api, order_by=[{"field_name": "metrics.acc"}]) == ["one", "two"]
    first_page = api.post("logged-models/search", experiment_ids=["0"], max_results=1)
    assert (
        len(
            api.post(
                "logged-models/search", experiment_ids=["0"], max_results=1, page_token=first_page["next_page_token"]
            )["models"]
        )
        == 1
    )
    api.refused("logged-models/search", "experiment_ids")
    api.refused("logged-models/search", "", experiment_ids=["0"], filter="colour = 'x'")


def test_files_of_a_model_belong_to_its_run_and_are_not_listed_there(api: Api) -> None:
    run_id = api.run()
    model = a_model(api, run_id, name="net")
    for name in ("MLmodel", "data/model.pkl"):
        assert api.send("PUT", f"{TREE}/0/models/{model}/artifacts/{name}", content=name.encode()).status_code == 200

    listing = api.get(f"logged-models/{model}/artifacts/directories", artifact_directory_path="data")
    assert [each["path"] for each in listing["files"]] == ["data/model.pkl"]
    content = api.send(
        "GET", f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files", params={"artifact_file_path": "MLmodel"}
    )
    assert content.content == b"MLmodel"
    assert api.send("GET", f"{TREE}/0/models/{model}/artifacts/MLmodel").content == b"MLmodel"
    assert "files" not in api.get("artifacts/list", run_id=run_id)
    stored = {(file.name, file.kind) for file in api.served.client.index.artifacts(run_id)}
    assert stored == {(f"models/{model}/MLmodel", "model"), (f"models/{model}/data/model.pkl", "model")}


def test_a_model_of_no_run_keeps_its_files_too(api: Api) -> None:
    model = a_model(api)

    api.send("PUT", f"{TREE}/0/models/{model}/artifacts/MLmodel", content=b"x")

    assert api.send("GET", f"{TREE}/0/models/{model}/artifacts/MLmodel").content == b"x"


def test_models_that_a_run_made_and_read_are_told(api: Api) -> None:
    run_id = api.run()
    made, read = a_model(api, run_id), a_model(api)

    for _ in range(2):
        api.post("runs/outputs", run_id=run_id, models=[{"model_id": made, "step": 7}])
        api.post("runs/log-inputs", run_id=run_id, models=[{"model_id": read}])

    run = api.get("runs/get", run_id=run_id)["run"]
    assert run["outputs"] == {"model_outputs": [{"model_id": made, "step": 7}]}
    assert run["inputs"] == {"model_inputs": [{"model_id": read}]}


@pytest.mark.parametrize("document", [{}, {"status": "LOST"}])
def test_a_model_gets_a_state_that_there_is(api: Api, document: dict[str, str]) -> None:
    answer = api.send("PATCH", f"/api/2.0/mlflow/logged-models/{a_model(api)}", json=document)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "'status'" in answer.json()["message"]


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "a%b", "'a'"])
def test_a_name_of_a_model_must_be_one(api: Api, name: str) -> None:
    api.refused("logged-models", "Invalid model name", experiment_id="0", name=name)


# ---- datasets ----


def a_dataset(**more: str) -> dict[str, object]:
    data = {"name": "mnist", "digest": "d1", "source_type": "local", "source": "/data", "schema": "{}", **more}
    return {"dataset": data, "tags": [{"key": "mlflow.data.context", "value": "train"}]}


def test_a_dataset_is_an_input_of_its_run(api: Api) -> None:
    run_id = api.run()

    for _ in range(2):  # the second time changes nothing
        api.post("runs/log-inputs", run_id=run_id, datasets=[a_dataset()])

    assert api.get("runs/get", run_id=run_id)["run"]["inputs"] == {"dataset_inputs": [a_dataset()]}
    assert [file.kind for file in api.served.client.index.artifacts(run_id)] == ["dataset"]
    assert "files" not in api.get("artifacts/list", run_id=run_id)


def test_a_dataset_is_stored_once_in_an_experiment(api: Api) -> None:
    first, second, elsewhere = api.run(), api.run(), api.run(api.experiment())
    for run_id, place in ((first, "/data"), (second, "/other"), (elsewhere, "/other")):
        api.post("runs/log-inputs", run_id=run_id, datasets=[a_dataset(source=place)])

    def source(run_id: str) -> str:
        return str(api.get("runs/get", run_id=run_id)["run"]["inputs"]["dataset_inputs"][0]["dataset"]["source"])

    assert [source(first), source(second), source(elsewhere)] == ["/data", "/data", "/other"]


def test_datasets_of_experiments_are_listed(api: Api) -> None:
    for _ in range(2):
        api.post("runs/log-inputs", run_id=api.run(), datasets=[a_dataset(), a_dataset(digest="d2")])

    found = api.post("experiments/search-datasets", experiment_ids=["0"])["dataset_summaries"]

    assert sorted((each["name"], each["digest"], each["context"]) for each in found) == [
        ("mnist", "d1", "train"),
        ("mnist", "d2", "train"),
    ]
    api.refused("experiments/search-datasets", "at most 20", experiment_ids=["0"] * 21)


@pytest.mark.parametrize(
    ("field", "length"),
    [("name", 501), ("digest", 37), ("source", 65_536), ("schema", 1_048_576), ("profile", 16_777_216)],
)
def test_limits_of_a_dataset(api: Api, field: str, length: int) -> None:
    api.refused(
        "runs/log-inputs", "exceeds the maximum length", run_id=api.run(), datasets=[a_dataset(**{field: "x" * length})]
    )


def test_a_dataset_just_within_the_limits_is_taken(api: Api) -> None:
    run_id = api.run()

    longest = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}
    api.post("runs/log-inputs", run_id=run_id, datasets=[a_dataset(**{name: "x" * n for name, n in longest.items()})])

    (found,) = api.get("runs/get", run_id=run_id)["run"]["inputs"]["dataset_inputs"]
    assert {name: len(found["dataset"][name]) for name in longest} == longest


def test_what_a_dataset_lacks_is_named(api: Api) -> None:
    run_id = api.run()
    api.refused("runs/log-inputs", "'datasets[0].dataset'", run_id=run_id, datasets=[{"tags": []}])
    api.refused("runs/log-inputs", "'datasets[0].dataset.name'", run_id=run_id, datasets=[{"dataset": {"digest": "1"}}])
    api.refused(
        "runs/log-inputs",
        "'datasets[0].tags[0].value'",
        run_id=run_id,
        datasets=[{**a_dataset(), "tags": [{"key": "a"}]}],
    )
