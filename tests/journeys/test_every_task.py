"""Each task of the template from a new project to the customer: trained, shown, reported, packed, served.

Image classification has stories of its own. One project a variant is made and trained; all but the trainings happens in
this process, so that PyTorch is imported once for all of them.
"""

import csv
import json
import os
import re
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import runyard
from runyard.apps.show import starting
from runyard.apps.show.app import PAGES
from runyard.cli.main import run as run_program
from runyard.cli.project.app import run_project
from runyard.client import open_client
from runyard.project.new import Framework, Task, new
from runyard.serve.golden import Tolerance, differences, read_samples
from runyard.tracking.models import read_manifest
from tests.serve.running import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NEEDED = ("streamlit", "sklearn", "skops", "PIL", "torch", "safetensors", "onnxruntime", "onnxscript", "skl2onnx")
if missing := [name for name in NEEDED if find_spec(name) is None]:  # importing them would cost every process seconds
    reason = f"needs {', '.join(missing)}: pip install 'runyard[streamlit,sklearn,torch,onnx]'"
    pytest.skip(reason, allow_module_level=True)

KINDS: tuple[tuple[Task, Framework], ...] = (
    ("tabular", "sklearn"),
    ("tabular", "torch"),
    ("timeseries", "sklearn"),
    ("timeseries", "torch"),
    ("detection", "torch"),
)
REACHED = {  # by the defaults, at least
    "tabular": ("val/accuracy", 0.9),
    "timeseries": ("val/skill", 0.2),
    "detection": ("val/f1", 0.7),
}
SAID = {  # on the pages of a task: one sentence or word that belongs to it alone
    "tabular": {"threshold": "What is looked for", "errors": "alcohol"},
    "timeseries": {"threshold": "These answers are numbers", "errors": "answered"},
    "detection": {"threshold": "Each picture is asked", "errors": "Solid green"},
}
IN_REPORT = {
    "tabular": ("What is taken for what", "alcohol"),
    "timeseries": ("Truth (grey) and answers (blue) over time", "Close enough over what is allowed"),
    "detection": ("mean average precision", '<div class="framed"><svg'),
}
WRONG = {  # what a request may look like that breaks the contract, and what is answered
    "tabular": ({"alcohol": 96.0}, r"row has no column 'malic_acid'"),
    "timeseries": ({"time": [1, 2, 4], "value": [1.0, 2.0, 3.0]}, r"window\.time has 3 points; 24 are declared"),
    "detection": ([[0.5] * 8] * 8, r"8 × 8; 32 × 32 is wanted"),
}
SAMPLES = {"timeseries": "series.csv", "tabular": "table.csv"}


@dataclass(frozen=True)
class Trained:
    """A new project with two runs, the better one first, in which this process works."""

    task: Task
    framework: Framework
    project: Path
    runs: tuple[str, str]

    def run_py(self, *arguments: str) -> int:
        """`python run.py …` in this process."""
        before, sys.argv = sys.argv, ["run.py", *arguments]
        try:
            return run_project(self.project)
        finally:
            sys.argv = before


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    task, framework = request.param
    folder = tmp_path_factory.mktemp(f"{task}-{framework}")
    path, modules = list(sys.path), set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RUNYARD_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("PYTHONPATH", str(Path(runyard.__file__).parents[1]))
        patch.setenv("RUNYARD_HOME", str(folder / "yard"))
        project = new("weld-seam", folder / "weld-seam", task=task, framework=framework).path
        patch.chdir(project)
        patch.syspath_prepend(str(project))
        story = Trained(task, framework, project, ("", ""))
        found = []
        for settings in ([], ["epochs=2"]):
            assert story.run_py("train", *settings) == 0
            client = open_client()
            found.append(client.index.find(project="weld-seam", sort="-created_at", limit=1)[0].id)
            client.close()
        yield Trained(task, framework, project, (found[0], found[1]))
    sys.path[:] = path
    for name in [name for name in set(sys.modules) - modules if name.partition(".")[0] in ("src", "docker")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def package(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The better run's model in ONNX, with golden samples."""
    out = tmp_path_factory.mktemp("package") / "model"
    assert run_program(["package", trained.runs[0], "--out", str(out), "--onnx"]) == 0
    return out


def test_defaults_learn_what_the_task_asks_for(trained: Trained) -> None:
    metric, least = REACHED[trained.task]
    client = open_client()
    summary = client.index.get(trained.runs[0]).summary
    client.close()

    assert summary[metric].last > least


def test_data_that_break_the_contract_are_not_trained_on(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (trained.project / "tests" / "data").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    name, (old, wrong), said = {
        "tabular": ("table.csv", ("\n14.23,", "\n96,"), "row.alcohol goes from"),
        "timeseries": ("series.csv", ("\n1750,", "\n1749.5,"), "series.time steps otherwise than by 1"),
        "detection": ("boxes.csv", ("0000.png,5,1,18,7,26", "0000.png,5,1,18,70,26"), "beyond its image of 32 x 32"),
    }[trained.task]
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, wrong))

    code = trained.run_py("train", "--queue", f"data.root={tmp_path}")

    assert code == 2
    assert said in capsys.readouterr().err


def test_customer_sees_every_page(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.testing.v1 import AppTest

    first, second = trained.runs
    monkeypatch.setenv(starting.RUN, first)
    monkeypatch.setenv(starting.SECOND, second)
    test = AppTest.from_file(trained.project / "src" / "visualization" / "explore.py", default_timeout=120).run()

    for page in PAGES:
        test.radio(key="page").set_value(page).run()
        if page == "try":
            samples = test.multiselect(key="samples").options
            assert "boxes.csv" not in samples
            test.multiselect(key="samples").set_value([samples[0]]).run()
            assert " ms" in text_of(test)
        assert [each.message for each in test.exception] == []
        assert [each.value for each in [*test.error, *test.info]] == []
        assert SAID[trained.task].get(page, "") in text_of(test)


def text_of(test: Any) -> str:  # an AppTest
    parts = [*test.caption, *test.html, *test.markdown]
    return " ".join(str(getattr(part, "value", None) or part.proto.body) for part in parts) + " ".join(
        each.label for each in test.selectbox
    )


def test_report_shows_what_fits_the_task(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "report.html"

    assert run_program(["report", trained.runs[0], "--compare", trained.runs[1], "--out", str(out)]) == 0

    html = out.read_text()
    assert "have seen" in html  # the comparison: both runs were measured on the same samples
    for said in IN_REPORT[trained.task]:
        assert said in html
    assert not re.search(r"(?:src|href)=\"https?:", html)


def test_model_in_onnx_computes_the_same(trained: Trained, package: Path) -> None:
    manifest = read_manifest(package)

    assert (manifest.framework, manifest.parity["samples"]) == ("onnx", 8)
    assert manifest.parity["largest_difference"] <= manifest.parity["absolute"]
    assert len(read_samples(package).samples) == 8


def test_service_proves_itself_answers_as_infer_does_and_refuses_with_a_reason(
    trained: Trained, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = trained.project / "tests" / "data" / SAMPLES.get(trained.task, "")
    infer = ("infer", "--model", str(package), "--data", str(data), "--out", str(tmp_path / "out.csv"))
    assert trained.run_py(*infer) == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = {row.pop("input"): row for row in csv.DictReader(file)}
    inference = import_module("src.inference")  # of the new project
    name, value = inference.read(data)[0]
    monkeypatch.setenv("MODEL", str(package))
    with running(runpy.run_path("docker/main.py")["app"]) as service:
        ready = service.http.get("/ready")
        good = service.predict(json.dumps(value.tolist() if hasattr(value, "tolist") else value))
        wrong, reason = WRONG[trained.task]
        bad = service.predict(json.dumps(wrong))

    assert (ready.status_code, good.status_code) == (200, 200), ready.text + good.text
    wanted = {column: json.loads(cell) for column, cell in rows[name].items()}
    assert differences(wanted, good.json(), Tolerance()) == []
    assert bad.status_code == 422
    assert re.search(reason, bad.text)
