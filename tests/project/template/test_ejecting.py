"""A copy for whoever takes a project over: it trains and predicts where Runyard cannot be imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.project.template.ejecting import eject

NO_RUNYARD = """
import sys

class Refusing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "runyard":
            raise ImportError("Runyard is not here")

sys.meta_path.insert(0, Refusing())
"""


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    done = eject(project, tmp_path / "copy")
    assert done.open_ends == (
        "src/data_processing/contract.py was left out: it needs Runyard.",
        "tests/integration/test_model.py was left out: it needs Runyard.",
        "tests/unit/test_data_loader.py was left out: it needs Runyard.",
        "README.md still tells of Runyard: `python run.py --help` says what there is now.",
    )
    (tmp_path / "without" / "sitecustomize.py").parent.mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(NO_RUNYARD)
    return done.path


def call(copy: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy.parent / "without"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.slow
def test_copy_trains_and_predicts_without_runyard(copy: Path) -> None:
    pytest.importorskip("skops", reason="skops is not installed")
    assert call(copy, "-c", "import importlib.util\ntry: import runyard\nexcept ImportError: print('gone')") == "gone\n"

    trained = call(copy, "run.py", "train", "epochs=8", "optim.kind=sgd", "optim.lr=0.1", "--out", "runs/a")
    inferred = call(copy, "run.py", "infer", "--model", "runs/a/model", "--data", "tests/data", "--out", "one.csv")
    call(copy, "docker/main.py", "--model", "runs/a/model", "batch", "tests/data", "other.csv")

    assert "The model is in runs/a/model" in trained
    assert "50 predictions are in one.csv" in inferred
    assert (copy / "one.csv").read_bytes() == (copy / "other.csv").read_bytes()
    found = [line.split(",")[1] for line in (copy / "one.csv").read_text().splitlines()[1:]]
    labels = [line.split(",")[1] for line in (copy / "tests" / "data" / "labels.csv").read_text().splitlines()[1:]]
    assert sum(one == other for one, other in zip(found, labels, strict=True)) >= 40


def test_wrong_settings_of_a_copy_are_told_in_a_sentence(copy: Path) -> None:
    pytest.importorskip("skops", reason="skops is not installed")
    environment = {**os.environ, "PYTHONPATH": str(copy.parent / "without")}
    done = subprocess.run(
        [sys.executable, "run.py", "train", "optim.lr=-1"], cwd=copy, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert done.stderr.startswith("optim.adam.lr: ")
    assert "Traceback" not in done.stderr


def test_nothing_in_the_copy_imports_runyard(copy: Path) -> None:
    imports = [line for path in copy.rglob("*.py") for line in path.read_text().splitlines() if "import" in line]

    assert not [line for line in imports if "runyard" in line]
    assert not (copy / ".gitlab-ci.yml").exists()
    assert "runyard" not in (copy / "requirements.txt").read_text()


def test_imports_without_a_counterpart_are_told_and_left(project: Path, tmp_path: Path) -> None:
    (project / "src" / "extra.py").write_text("from runyard import (\n    Run,\n    submit,\n)\nimport runyard\n")

    done = eject(project, tmp_path / "copy")

    assert {"src/extra.py:1 still imports runyard: submit.", "src/extra.py:5 still imports runyard."} < set(done.open_ends)


def test_copy_goes_to_a_folder_of_its_own(project: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()

    with pytest.raises(UsageError, match="is not empty"):
        eject(project, tmp_path / "full")
    with pytest.raises(UsageError, match="lies in the project"):
        eject(project, project / "copy")
