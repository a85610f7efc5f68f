"""Models on disk: what is saved is what is loaded, nothing runs on loading, and changed files are refused."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runyard.errors import FormatUnknown, MissingExtra, NotFound, ServiceError, UsageError
from runyard.journal.events import FileLogged
from runyard.tracking import Run
from runyard.tracking.models import load_model, save_model
from tests.tracking.journals import events_in


class Scaler:
    """A class of a project, as it may sit inside a pipeline of scikit-learn."""

    def __init__(self, factor: float = 2.0) -> None:
        self.factor = factor

    def fit(self, inputs: Any, targets: Any = None) -> "Scaler":
        return self

    def transform(self, inputs: Any) -> Any:
        return np.asarray(inputs) * self.factor


def test_arrays_come_back(tmp_path: Path) -> None:
    weights: dict[str, Any] = {"dense/kernel": np.arange(6.0).reshape(2, 3), "bias": np.float32(3)}

    manifest = save_model(weights, tmp_path / "model", meta={"classes": ["a", "b"]})

    loaded = load_model(tmp_path / "model")
    assert (manifest.framework, manifest.meta) == ("arrays", {"classes": ["a", "b"]})
    assert loaded.keys() == weights.keys()
    assert np.array_equal(loaded["dense/kernel"], weights["dense/kernel"])


def test_arrays_of_objects_are_refused_since_they_would_be_pickled(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pickle"):
        save_model({"x": np.array([object()])}, tmp_path / "model")


def test_an_estimator_comes_back(tmp_path: Path) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="runyard[sklearn] is not installed")
    model = linear.LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1])

    save_model(model, tmp_path / "model")

    loaded = load_model(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba([[0.3]]), model.predict_proba([[0.3]]))
    assert not list((tmp_path / "model").glob("*.pkl"))


@pytest.mark.parametrize(
    "name", ["RandomForestClassifier", "HistGradientBoostingClassifier", "GradientBoostingClassifier"]
)
def test_forests_and_boosting_come_back(tmp_path: Path, name: str) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble", reason="runyard[sklearn] is not installed")
    inputs, targets = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    model = getattr(ensemble, name)().fit(inputs, targets)

    save_model(model, tmp_path / "model")

    assert np.array_equal(load_model(tmp_path / "model").predict(inputs), model.predict(inputs))


def test_types_of_others_are_refused_by_name_and_taken_when_trusted(tmp_path: Path) -> None:
    pipeline = pytest.importorskip("sklearn.pipeline", reason="runyard[sklearn] is not installed")
    save_model(pipeline.Pipeline([("scale", Scaler(3.0))]), tmp_path / "model")
    name = f"{Scaler.__module__}.Scaler"

    with pytest.raises(UsageError, match=name):
        load_model(tmp_path / "model")

    assert load_model(tmp_path / "model", trusted=[name]).steps[0][1].factor == 3.0


def test_functions_that_run_text_as_code_are_refused_although_numpy_has_them(tmp_path: Path) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing", reason="runyard[sklearn] is not installed")
    from numpy.testing import assert_equal

    save_model(preprocessing.FunctionTransformer(assert_equal), tmp_path / "model")

    with pytest.raises(UsageError, match=r"numpy\.testing"):
        load_model(tmp_path / "model")


def test_weights_of_torch_come_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="runyard[torch] is not installed")
    pytest.importorskip("safetensors", reason="runyard[torch] is not installed")
    model = torch.nn.Linear(3, 2)
    save_model(model, tmp_path / "model")
    save_model(model.state_dict(), tmp_path / "weights")

    loaded = load_model(tmp_path / "model", into=torch.nn.Linear(3, 2))

    assert torch.equal(loaded.weight, model.weight)
    assert torch.equal(load_model(tmp_path / "weights")["bias"], model.bias)
    with pytest.raises(UsageError, match="do not fit"):
        load_model(tmp_path / "model", into=torch.nn.Linear(4, 4))


def test_a_missing_package_is_told_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="runyard[sklearn] is not installed")
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)

    with pytest.raises(MissingExtra, match=r"pip install 'runyard\[sklearn\]'"):
        save_model(linear.LinearRegression(), tmp_path / "model")


@pytest.mark.parametrize("model", [3, None, {}, {"a": [1]}, [np.zeros(2)], Scaler()])
def test_what_cannot_be_saved_without_pickle_is_refused(tmp_path: Path, model: Any) -> None:
    with pytest.raises(UsageError, match="without pickle"):
        save_model(model, tmp_path / "model")


def test_a_changed_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    save_model({"x": np.zeros(3)}, tmp_path)
    file = tmp_path / "model.npz"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")

    with pytest.raises(ServiceError, match=r"model\.npz was changed"):
        load_model(tmp_path)


def test_a_missing_file_and_a_missing_manifest_are_told(tmp_path: Path) -> None:
    save_model({"x": np.zeros(3)}, tmp_path / "model")
    (tmp_path / "model" / "model.npz").unlink()

    with pytest.raises(ServiceError, match="not there"):
        load_model(tmp_path / "model")
    with pytest.raises(NotFound, match="holds no model"):
        load_model(tmp_path)


@pytest.mark.parametrize("change", [{"format": 9}, {"framework": "os"}, {"files": 3}])
def test_a_manifest_of_another_version_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    save_model({"x": np.zeros(3)}, tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))

    with pytest.raises(FormatUnknown):
        load_model(tmp_path)


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    save_model({"x": np.zeros(3)}, tmp_path / "model")
    manifest = tmp_path / "model" / "manifest.json"
    text = json.loads(manifest.read_text())
    text["files"] = {"../secret": {"sha256": "0" * 64, "size_bytes": 1}}
    manifest.write_text(json.dumps(text))
    (tmp_path / "secret").write_text("x")

    with pytest.raises(ServiceError, match="not there"):
        load_model(tmp_path / "model")


def test_a_run_keeps_its_model_with_a_manifest(run: Run, run_dir: Path) -> None:
    run.save_model({"w": np.ones(3)}, meta={"threshold": 0.5})

    logged = events_in(run_dir, FileLogged)
    files = run_dir / "attempts" / "1" / "files"
    assert [(event.name, event.kind) for event in logged] == [
        ("model/manifest.json", "model"),
        ("model/model.npz", "model"),
    ]
    assert json.loads((files / "model/manifest.json").read_text())["meta"] == {
        "threshold": 0.5,
        "run": "abc123",
        "attempt": 1,
    }
    assert load_model(files / "model")["w"].tolist() == [1.0, 1.0, 1.0]
    assert [path.name for path in files.iterdir()] == ["model"]


def test_a_model_that_cannot_be_saved_is_no_quiet_warning(run: Run) -> None:
    with pytest.raises(UsageError, match="without pickle"):
        run.save_model(object())
