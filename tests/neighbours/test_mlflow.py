"""MLflow's own clients log to Runyard and read it back."""

import json
import math
from contextlib import closing
from pathlib import Path

import pytest

from runyard.bridges.mlflow.importing import reader_of, take_in
from runyard.client import open_client
from tests.neighbours.conftest import Tracking

FLUENT = """
import json, sys, tempfile
import mlflow
from mlflow import MlflowClient

mlflow.set_experiment(sys.argv[1] if len(sys.argv) > 1 else "fluent")
with mlflow.start_run(run_name="parent") as run:
    mlflow.log_params({"optim.lr": 0.01, "depth": 3})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({"nan": float("nan"), "inf": float("inf")})
    mlflow.set_tags({"stage": "prod", "gone": "x"})
    mlflow.delete_tag("gone")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"a": [1]}, "b.json")
    with mlflow.start_run(nested=True, run_name="child"):
        mlflow.log_metric("loss", 2.0)
client, run_id = MlflowClient(), run.info.run_id
found = client.get_run(run_id)
history = [(point.step, point.value) for point in client.get_metric_history(run_id, "loss")]
files = [file.path for folder in (None, "notes") for file in client.list_artifacts(run_id, folder)]
path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="notes/hello.txt", dst_path=tempfile.mkdtemp())
text = "metrics.loss < 0.5 and params.depth = '3' and tags.stage = 'prod'"
search = client.search_runs([found.info.experiment_id], text)
try:
    client.log_param(run_id, "depth", 4)
    refused = ""
except mlflow.exceptions.MlflowException as problem:
    refused = str(problem)
print(json.dumps({
    "id": run_id, "status": found.info.status, "params": found.data.params, "history": history, "files": sorted(files),
    "metrics": {key: repr(value) for key, value in found.data.metrics.items()}, "text": open(path).read(),
    "search": [each.info.run_name for each in search], "refused": refused,
}))
"""

SKLEARN = """
import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

mlflow.set_experiment("sklearn")
x, y = load_iris(return_X_y=True, as_frame=True)
mlflow.sklearn.autolog(max_tuning_runs=3, log_models=True)
with mlflow.start_run() as run:
    model = LogisticRegression(max_iter=200).fit(x, y)
again = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
assert (again.predict(x) == model.predict(x)).all()
found = mlflow.get_run(run.info.run_id)
assert found.inputs.dataset_inputs and found.outputs.model_outputs
(logged,) = mlflow.search_logged_models([found.info.experiment_id], output_format="list")
assert logged.status.value == "READY" and logged.metrics
mlflow.sklearn.autolog(max_tuning_runs=3, log_models=False)
with mlflow.start_run() as parent:
    GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(x, y)
children = mlflow.search_runs([found.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
assert sorted(children["params.C"]) == ["0.1", "1.0", "10.0"], children
print(run.info.run_id, parent.info.run_id)
"""

XGBOOST = """
import mlflow, xgboost
from sklearn.datasets import load_iris

mlflow.set_experiment("xgboost")
mlflow.xgboost.autolog(importance_types=[])
x, y = load_iris(return_X_y=True)
data = xgboost.DMatrix(x, y)
with mlflow.start_run() as run:
    settings = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    model = xgboost.train(settings, data, 5, evals=[(data, "train")], verbose_eval=False)
again = mlflow.xgboost.load_model(f"runs:/{run.info.run_id}/model")
assert abs(again.predict(data) - model.predict(data)).max() < 1e-6
print(run.info.run_id)
"""

STORE = """
import json, sys
import mlflow

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("depth")
with mlflow.start_run(run_name="one", description="first") as run:
    mlflow.log_params({"optim.lr": 0.01, "amp": True})
    mlflow.set_tag("stage", "prod")
    for step in range(5):
        mlflow.log_metric("val/loss", 1 / (step + 1), step=step)
    mlflow.log_metric("val/loss", float("nan"), step=9)
    mlflow.log_text("hello", "notes/a.txt")
    with mlflow.start_run(run_name="kid", nested=True):
        mlflow.log_metric("x", float("inf"))
history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "val/loss")
print(json.dumps([[point.step, point.timestamp, repr(point.value)] for point in history]))
"""

KERAS = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import mlflow, numpy, keras

mlflow.set_experiment("keras")
from mlflow.keras import MlflowCallback
with mlflow.start_run() as run:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    x = numpy.ones((8, 2), "float32")
    model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[MlflowCallback(run)])
mlflow.keras.autolog(log_models=False)  # the line below says what the model needs; to find out takes minutes
with mlflow.start_run() as auto:
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    mlflow.keras.log_model(model, name="model", pip_requirements=["keras"])
again = mlflow.keras.load_model(f"runs:/{auto.info.run_id}/model")
assert abs(again.predict(x, verbose=0) - model.predict(x, verbose=0)).max() < 1e-6
print(run.info.run_id, auto.info.run_id)
"""

OPTUNA = """
import mlflow, optuna
from optuna_integration.mlflow import MLflowCallback

optuna.logging.set_verbosity(optuna.logging.ERROR)
callback = MLflowCallback(tracking_uri=mlflow.get_tracking_uri(), metric_name="value")
study = optuna.create_study(study_name="optuna")
study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3, callbacks=[callback])
print(len(mlflow.search_runs(experiment_names=["optuna"])))
"""


COMMANDS = """
import tempfile
import mlflow
from click.testing import CliRunner
from mlflow.cli import cli

def call(*arguments):
    done = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, (arguments, done.output)
    return done.output

number = call("experiments", "create", "-n", "by hand").rstrip().rpartition(" ")[2]
with mlflow.start_run(experiment_id=number) as run:
    mlflow.log_text("hi", "d/a.txt")
run_id, client = run.info.run_id, mlflow.MlflowClient()
call("experiments", "rename", "-x", number, "--new-name", "renamed")
assert "renamed" in call("experiments", "search")
assert run_id in call("runs", "list", "--experiment-id", number)
assert run_id in call("runs", "describe", "--run-id", run_id)
assert "a.txt" in call("artifacts", "list", "--run-id", run_id, "--artifact-path", "d")
folder = tempfile.mkdtemp()
call("artifacts", "download", "--run-id", run_id, "--artifact-path", "d", "-d", folder)
assert open(folder + "/d/a.txt").read() == "hi"
call("runs", "delete", "--run-id", run_id)
assert client.get_run(run_id).info.lifecycle_stage == "deleted"
call("runs", "restore", "--run-id", run_id)
call("experiments", "delete", "-x", number)
assert client.get_experiment(number).lifecycle_stage == "deleted"
call("experiments", "restore", "-x", number)
print(run_id)
"""


@pytest.mark.parametrize("version", ["current", "oldest"])
def test_the_fluent_client_writes_and_reads_back(
    tracking: Tracking, version: str, request: pytest.FixtureRequest
) -> None:
    python: Path = request.getfixturevalue(version)

    told = json.loads(tracking.call(python, "-c", FLUENT, f"fluent {version}").splitlines()[-1])

    assert (told["status"], told["params"]) == ("FINISHED", {"optim.lr": "0.01", "depth": "3"})
    assert told["history"] == [[step, 1 / (step + 1)] for step in range(5)]
    assert told["metrics"] == {"loss": "0.2", "nan": "nan", "inf": "1.7976931348623157e+308"}
    assert told["files"] == ["b.json", "notes", "notes/hello.txt"]
    assert (told["text"], told["search"]) == ("hello", ["parent"])
    assert "Changing param values is not allowed" in told["refused"]
    row = tracking.client.index.get(told["id"])
    assert (row.name, row.state, row.experiment, row.tags) == (
        "parent",
        "COMPLETED",
        f"fluent {version}",
        ("stage=prod",),
    )
    assert (row.config, row.user) == ({"optim": {"lr": 0.01}, "depth": 3}, "ada")
    (child,) = tracking.client.index.find(f'name == "child" and experiment == "fluent {version}"')
    assert child.parent == row.id


@pytest.mark.slow
def test_scikit_learn_is_logged_by_itself_and_its_model_comes_back(tracking: Tracking, current: Path) -> None:
    one, parent = tracking.python(current, SKLEARN).split()[-2:]

    row = tracking.client.index.get(one)
    assert row.config["max_iter"] == 200
    assert row.summary["training_accuracy_score"].last > 0.9
    assert {file.name.rpartition("/")[2] for file in tracking.client.index.artifacts(one)} >= {
        "MLmodel",
        "estimator.html",
    }
    children = [each for each in tracking.client.index.find('experiment == "sklearn"') if each.parent == parent]
    assert sorted(each.config["C"] for each in children) == [0.1, 1, 10]


@pytest.mark.slow
def test_xgboost_is_logged_by_itself_and_its_model_comes_back(tracking: Tracking, current: Path) -> None:
    run_id = tracking.python(current, XGBOOST).split()[-1]

    assert tracking.client.index.get(run_id).summary["train-mlogloss"].count == 5


@pytest.mark.slow
def test_keras_logs_epochs_by_its_callback_and_by_itself_and_its_model_comes_back(
    tracking: Tracking, current: Path
) -> None:
    run_id, auto = tracking.python(current, KERAS).split()[-2:]

    row = tracking.client.index.get(run_id)
    assert row.summary["loss"].count == 3
    assert "model_summary.txt" in {file.name for file in tracking.client.index.artifacts(run_id)}
    row = tracking.client.index.get(auto)
    assert (row.summary["loss"].count >= 2, row.config["epochs"]) == (True, 2)  # one an epoch, and what MLflow adds
    assert "MLmodel" in {file.name.rpartition("/")[2] for file in tracking.client.index.artifacts(auto)}


@pytest.mark.slow
def test_the_callback_of_optuna_logs_trials(tracking: Tracking, current: Path) -> None:
    assert tracking.python(current, OPTUNA).split()[-1] == "3"


def test_the_command_line_lists_changes_and_downloads(tracking: Tracking, current: Path) -> None:
    run_id = tracking.python(current, COMMANDS).split()[-1]

    row = tracking.client.index.get(run_id)
    assert (row.experiment, row.trashed) == ("renamed", False)


@pytest.mark.slow
def test_a_project_of_mlflow_runs_and_logs(tracking: Tracking, current: Path) -> None:
    project = tracking.folder / "project"
    project.mkdir()
    (project / "MLproject").write_text(
        "name: p\nentry_points:\n  main:\n    parameters:\n      lr: float\n    command: python train.py {lr}\n"
    )
    (project / "train.py").write_text("import sys, mlflow\nmlflow.log_metric('lr', float(sys.argv[1]))\n")

    tracking.call(
        current,
        "-m",
        "mlflow",
        "run",
        str(project),
        "-P",
        "lr=0.5",
        "--env-manager",
        "local",
        "--experiment-name",
        "projects",
    )

    (row,) = tracking.client.index.find('experiment == "projects"')
    assert (row.state, row.config, row.summary["lr"].last) == ("COMPLETED", {"lr": 0.5}, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(("version", "store"), [("current", "sqlite"), ("oldest", "file")])
def test_what_mlflow_keeps_itself_is_taken_in_as_its_client_reads_it(
    tracking: Tracking, version: str, store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    python: Path = request.getfixturevalue(version)
    source = f"sqlite:///{tmp_path}/mlflow.db" if store == "sqlite" else f"file://{tmp_path}/mlruns"
    more = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_TRACKING_URI": source}
    told = tracking.call(python, "-c", STORE, source, **more)

    with (
        closing(open_client(tmp_path / "home")) as client,
        closing(
            reader_of(source, artifacts=tracking.folder)
        ) as reader,  # where a process leaves files of an SQLite store
    ):
        done = take_in(client, reader, project="weld")
        row, kid = (client.index.find(f"name == '{name}'")[0] for name in ("one", "kid"))
        series = client.index.series(row.id, "val/loss")
        (file,) = client.index.artifacts(row.id)
        content = client.artifacts.path(file.sha256).read_text()

    assert (done.new, done.problems) == (2, [])
    assert (row.config, row.tags, row.note) == ({"optim": {"lr": 0.01}, "amp": True}, ("stage=prod",), "first")
    assert (row.state, row.experiment, kid.parent, kid.summary["x"].last) == (
        "COMPLETED",
        "depth",
        row.id,
        1.7976931348623157e308 if store == "sqlite" else math.inf,
    )
    times_ms = [time_ns // 1_000_000 for time_ns in series.times.tolist()]
    values = [repr(value) for value in series.values.tolist()]
    assert sorted(map(list, zip(series.steps.tolist(), times_ms, values, strict=True))) == sorted(
        json.loads(told.splitlines()[-1])
    )
    assert (file.name, content) == ("notes/a.txt", "hello")


def test_a_token_that_is_none_is_refused_at_once(tracking: Tracking, current: Path) -> None:
    program = "import mlflow\ntry:\n    mlflow.set_experiment('x')\nexcept Exception as problem:\n    print(problem)"

    told = tracking.python(current, program, MLFLOW_TRACKING_TOKEN="ry_none")

    assert "UNAUTHENTICATED" in told or "401" in told
