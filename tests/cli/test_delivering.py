"""From a run to what a customer gets, through the command line: package, context, and what goes wrong on the way."""

import json
import subprocess
from pathlib import Path

import pytest

from runyard.serve.golden import read_samples
from runyard.tracking.models import load_model, read_manifest
from tests import warm
from tests.cli.builders import environment, runyard

TRAIN = """
import numpy as np
from src.config import TrainConfig
from runyard import Run


def train(config: TrainConfig, run: Run) -> None:
    run.log({"val/loss": 0.25, "val/accuracy": 0.75}, step=0)
    run.save_model({"factor": np.float64(config.factor)})
"""
CONFIG = """
from runyard import Config


class TrainConfig(Config):
    factor: float = 2.0


DEFAULT = TrainConfig()
"""
INFERENCE = """
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from runyard import load_model


class Input(BaseModel):
    length: float


class Output(BaseModel):
    price: float


def load(path: Path, device: str = "cpu") -> Any:
    return load_model(path)


def predict(model: Any, inputs: list[Input]) -> list[Output]:
    return [Output(price=each.length * float(model["factor"])) for each in inputs]


def read(path: Path) -> list[tuple[str, Input]]:
    lines = (path / "rows.csv" if path.is_dir() else path).read_text().splitlines()
    return [(str(number), Input(length=float(line))) for number, line in enumerate(lines)]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home, and beside it a project with one finished run."""
    folder = tmp_path_factory.mktemp("delivering")
    project = folder / "project"
    (folder / "home").mkdir()
    files = {
        "run.py": "from runyard.runner import main\n\nraise SystemExit(main(__file__))\n",
        "runyard.toml": 'name = "pricing"\n[metrics]\n"val/accuracy" = "max"\n',
        "requirements.txt": "runyard\n",
        "docker/Dockerfile": 'FROM scratch\nARG NEEDS=""\n',
        "docker/.dockerignore": "*\n!src\n!requirements.txt\n!docker/main.py\n**/__pycache__\n",
        "docker/main.py": "",
        "src/config.py": CONFIG,
        "src/train.py": TRAIN,
        "src/inference.py": INFERENCE,
        "tests/data/rows.csv": "".join(f"{number}\n" for number in range(30)),
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    warm.call(["run.py", "train", "--cpu"], cwd=project, env=environment(folder / "home")).check_returncode()
    return folder


def call(place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return runyard(place / "home", *words, cwd=place / "project")


def infer(project: Path, home: Path, run: str, *, out: str) -> "subprocess.CompletedProcess[str]":
    words = ["infer", "--run", run, "--data", "tests/data", "--out", out]
    return warm.call(["run.py", *words], cwd=project, env=environment(home))


def test_a_run_becomes_a_package_that_it_keeps_and_infer_reads(place: Path) -> None:
    packed = call(place, "package", "last", "--out", "model", "--threshold", "0.4", "--json")
    inferred = infer(place / "project", place / "home", "last", out="p.csv")

    about = json.loads(packed.stdout)
    folder = place / "project" / "model"
    manifest = read_manifest(folder)
    assert (about["model"], about["samples"]) == (manifest.id, 8)
    assert manifest.origin["project"] == "pricing"
    assert manifest.origin["settings"] == {"factor": 2.0}
    assert (manifest.threshold, manifest.metrics["val/accuracy"]["last"]) == (0.4, 0.75)
    assert read_samples(folder).samples[-1].answer == {"price": 58.0}
    assert inferred.returncode == 0, inferred.stderr
    assert (place / "project" / "p.csv").read_text().splitlines()[-1] == "29,58.0"
    kept = json.loads(call(place, "show", "last", "--json").stdout)
    assert "package/MODEL_CARD.md" in json.dumps(kept)


def test_run_py_reports_the_best_run_of_its_project_from_anywhere(place: Path, tmp_path: Path) -> None:
    words = [str(place / "project" / "run.py"), "report", "--lang", "de", "--out", "r.html"]

    done = warm.call(words, cwd=tmp_path, env=environment(place / "home"))

    assert done.returncode == 0, done.stderr
    assert "pricing" in (tmp_path / "r.html").read_text()
    assert "abgeschlossen" in (tmp_path / "r.html").read_text()


def test_a_run_travels_with_its_package(place: Path, tmp_path: Path) -> None:
    packed = call(place, "package", "last", "--out", str(tmp_path / "model"), "--json")
    run = json.loads(packed.stdout)["origin"]["run"]
    call(place, "export", "last", "--out", str(tmp_path / "run.tar.gz"))
    (tmp_path / "home").mkdir()

    done = runyard(tmp_path / "home", "import", str(tmp_path / "run.tar.gz"))
    inferred = infer(place / "project", tmp_path / "home", run, out=str(tmp_path / "p.csv"))

    assert done.returncode == 0, done.stderr
    assert inferred.returncode == 0, inferred.stderr


def test_a_model_folder_without_a_run_is_packed(place: Path, tmp_path: Path) -> None:
    call(place, "package", "last", "--out", str(tmp_path / "one"))

    done = call(place, "package", "--model", str(tmp_path / "one"), "--count", "3", "--out", str(tmp_path / "two"))

    assert done.returncode == 0, done.stderr
    assert "3 golden samples" in done.stdout
    assert load_model(tmp_path / "two")["factor"] == 2.0


def test_a_context_is_laid_out_for_an_engine_elsewhere(place: Path, tmp_path: Path) -> None:
    done = call(place, "image", "build", "last", "--only-context", str(tmp_path / "context"))

    found = {path.relative_to(tmp_path / "context").as_posix() for path in (tmp_path / "context").rglob("*.*")}
    assert done.returncode == 0, done.stderr
    assert {"src/inference.py", "model/manifest.json", "docker/main.py"} <= found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["package", "--out", "x"], "Say which model to pack"),
        (["package", "last", "--model", "y", "--out", "x"], "Say which model to pack"),
        (["package", "last", "--samples", "nowhere", "--out", "x"], "no samples at"),
        (["package", "nonsense", "--out", "x"], "nonsense"),
        (["image", "build", "--model", "nowhere", "--only-context", "x"], "There is no model package nowhere"),
        (["image", "build", "last", "--without-model"], "--without-model leaves the model out"),
        (["image", "save", "pricing:1", "--engine", "kaniko"], "'kaniko' is no engine known here"),
    ],
)
def test_a_wrong_call_is_told_in_a_sentence(place: Path, words: list[str], said: str) -> None:
    done = call(place, *words)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place / "project" / "x").exists()
