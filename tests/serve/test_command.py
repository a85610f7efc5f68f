"""The program of a container: a folder is predicted and goes on where it was, a delivery proves itself."""

import csv
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runyard.serve import Service, probe
from runyard.serve.needs import NEEDS
from tests.cli.builders import environment
from tests.serve import small_project
from tests.serve.running import free_port, running
from tests.serve.small_project import Input, Output, package, png, price, service

CHECKOUT = Path(__file__).parents[2]


class Counting:
    """Predicts as usual, and counts the images."""

    def __init__(self) -> None:
        self.seen = 0

    def predict(self, model: Any, inputs: list[Input]) -> list[Output]:
        self.seen += len(inputs)
        return small_project.predict(model, inputs)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for number in range(20):
        (folder / f"{number:02}.png").write_bytes(png(number / 20))
    (folder / "deep" / "last.png").write_bytes(png(1))
    (folder / "labels.csv").write_text("file,label\n")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_predicted_into_a_table(
    model: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = service(model).run(["batch", str(images), str(tmp_path / "out")])

    table = rows(tmp_path / "out" / "predictions.csv")
    assert code == 0
    assert [row["input"] for row in table] == [*(f"{number:02}.png" for number in range(20)), "deep/last.png"]
    assert table[-1] == {"input": "deep/last.png", "is_bright": "True", "brightness": "1.0"}
    assert rows(tmp_path / "out" / "errors.csv") == []
    assert "21 predictions are in" in capsys.readouterr().out


def test_a_file_named_like_a_formula_is_none_in_the_table(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "=1+1.png").write_bytes(png(1))
    (tmp_path / "in" / "-broken.png").write_bytes(b"no image")

    assert service(model).run(["batch", str(tmp_path / "in"), str(tmp_path / "out")]) == 1

    assert [row["input"] for row in rows(tmp_path / "out" / "predictions.csv")] == ["'=1+1.png"]
    assert [row["input"] for row in rows(tmp_path / "out" / "errors.csv")] == ["'-broken.png"]


def test_what_fails_is_listed_and_tried_again_and_the_rest_is_not(
    model: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counting = Counting()
    (images / "05.png").write_bytes(b"no image")
    (images / "07.png").write_bytes(png(1, size=9))

    first = service(package_weights(model), predict=counting.predict).run(["batch", str(images), str(tmp_path / "out")])
    errors = rows(tmp_path / "out" / "errors.csv")
    (images / "05.png").write_bytes(png(0.5))
    (images / "07.png").unlink()
    second = service(package_weights(model), predict=counting.predict).run(
        ["batch", str(images), str(tmp_path / "out")]
    )

    assert (first, second, counting.seen) == (1, 0, 20)
    assert [error["input"] for error in errors] == ["05.png", "07.png"]
    assert "05.png cannot be read" in errors[0]["error"]
    assert len(rows(tmp_path / "out" / "predictions.csv")) == 20
    assert "19 of 20 files are done already." in capsys.readouterr().err


def package_weights(model: Path) -> Path:
    """Without golden samples, which would be counted, too."""
    return model.parent / "saved"


def test_a_cut_off_run_goes_on_and_a_torn_line_is_done_again(model: Path, images: Path, tmp_path: Path) -> None:
    counting = Counting()
    asked = ["batch", str(images), str(tmp_path / "out")]
    service(package_weights(model)).run(asked)
    progress = tmp_path / "out" / "progress.jsonl"
    progress.write_text(progress.read_text()[:-40])

    code = service(package_weights(model), predict=counting.predict).run(asked)

    assert (code, counting.seen) == (0, 1)
    assert len(rows(tmp_path / "out" / "predictions.csv")) == 21


def test_another_model_predicts_everything_anew(
    model: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service(model).run(["batch", str(images), str(tmp_path / "out")])

    code = service(package(tmp_path, factor=0.5)).run(["batch", str(images), str(tmp_path / "out")])

    assert code == 0
    assert rows(tmp_path / "out" / "predictions.csv")[-1]["brightness"] == "0.5"
    assert "is of another model" in capsys.readouterr().err


def test_rows_of_tables_are_predicted_one_by_one_into_parquet(model: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="runyard[parquet] is not installed")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("length_mm,kind\n2,plain\n-1,plain\n")
    (folder / "b.jsonl").write_text('{"length_mm": 4}\n')
    (folder / "note.txt").write_text("nothing to predict")

    code = service(package_weights(model), predict=price).run(["batch", str(folder), str(tmp_path / "out.parquet")])

    assert code == 1
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist() == [
        {"input": "a.csv#1", "euros": 2.0},
        {"input": "b.jsonl", "euros": 4.0},
    ]
    assert rows(tmp_path / "out.errors.csv")[0]["input"] == "a.csv#2"


def test_a_projects_own_reader_goes_first(model: Path, tmp_path: Path) -> None:
    def read(path: Path) -> list[tuple[str, Any]]:
        return [("left", np.full((4, 4), 0.25, np.float32)), ("right", np.full((4, 4), 0.75, np.float32))]

    (tmp_path / "pair.raw").write_bytes(b"x")
    code = service(package_weights(model), read=read).run(
        ["batch", str(tmp_path / "pair.raw"), str(tmp_path / "out.csv")]
    )

    assert code == 0
    assert [row["input"] for row in rows(tmp_path / "out.csv")] == ["pair.raw#left", "pair.raw#right"]


@pytest.mark.parametrize(
    ("inputs", "output", "said"),
    [
        ("nowhere", "out", "There is nothing at"),
        ("empty", "out", "holds no files such as images"),
        ("one.png", "one.png", "is a file that ends neither in .csv nor in .parquet"),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], inputs: str, output: str, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.png").write_bytes(png(1))

    code = service(model).run(["batch", str(tmp_path / inputs), str(tmp_path / output)])

    assert code == 2
    assert said in capsys.readouterr().err


def test_check_proves_the_delivery(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = service(model).run(["check"])

    out = capsys.readouterr().out
    assert code == 0
    assert "All 3 golden samples got the golden answer." in out
    assert "grey-0.4.png" in out


def test_check_shows_which_answer_is_another(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def load_another(path: Path, device: str) -> Any:
        return {"factor": np.float64(0.9)}

    code = service(model, load=load_another).run(["check", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [bool(sample["differences"]) for sample in found["samples"]] == [False, True, True]
    assert "brightness is 0.36" in found["samples"][1]["differences"][0]


def test_batch_refuses_a_model_that_gives_other_answers(
    model: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = service(model, load=lambda path, device: {"factor": np.float64(2)})

    code = changed.run(["batch", str(images), str(tmp_path / "out")])

    assert code == 4
    assert "golden samples got another answer" in capsys.readouterr().err


def test_schema_is_json(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert service(model).run(["schema"]) == 0

    assert json.loads(capsys.readouterr().out)["output"]["required"] == ["is_bright", "brightness"]


def test_the_model_folder_comes_from_the_option_then_the_variable(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL", str(model))

    assert service(Path("/elsewhere")).model == model
    assert service(Path("/elsewhere")).run(["--model", "/nowhere", "check"]) == 2
    assert service(Path("/elsewhere")).run(["check", "--model", "/nowhere"]) == 2
    assert service(Path("/elsewhere")).run(["check"]) == 0


def test_a_taken_port_is_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(service(model)) as served:
        code = service(model).run(["serve", "--port", str(served.port)])

    assert code == 2
    assert f"Port {served.port}" in capsys.readouterr().err


def test_probe_asks_whether_it_is_ready_and_sends_the_golden_requests(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(service(model)) as served:
        monkeypatch.setattr(sys, "argv", ["probe", "--port", str(served.port), "--golden", str(model)])
        good = probe.main()
    monkeypatch.setattr(sys, "argv", ["probe", "--port", str(free_port())])
    nobody = probe.main()

    out = capsys.readouterr().out
    assert (good, nobody) == (0, 1)
    assert "grey-0.4.png: the golden answer" in out
    assert "nobody answers at 127.0.0.1" in out


def test_what_a_container_installs_is_the_extra_and_in_the_versions_of_runyard() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]

    assert list(NEEDS) == project["optional-dependencies"]["serve"]
    assert set(NEEDS) <= set(project["dependencies"])


WITHOUT_THE_REST = """
import sys, tomllib

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {others}:
            raise ImportError(f"{{name}} is not in a container")

sys.meta_path.insert(0, Refuse())
from tests.serve.small_project import load, predict
from runyard.serve import serve

app = serve(load, predict, model={model!r})
assert app.asgi.openapi()
assert app.run(["check"]) == 0
"""


def test_a_service_needs_no_package_that_a_container_lacks(model: Path, tmp_path: Path) -> None:
    others = {"sqlalchemy", "typer", "rich", "copier", "psutil", "pynvml", "pcodec", "streamlit", "pandas"}
    script = WITHOUT_THE_REST.format(others=others, model=str(model))
    # the package of the test needs more than a container has
    script = script.replace("from tests.serve.small_project", "from tests_in_container")
    (tmp_path / "tests_in_container.py").write_text(container_project())

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(tmp_path, PYTHONPATH=f"{CHECKOUT / 'src'}:{tmp_path}"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def container_project() -> str:
    """The small project without what makes packages."""
    lines = Path(small_project.__file__).read_text().split("\n\n\ndef inference")[0].splitlines()
    return "\n".join(line for line in lines if "runyard.delivery" not in line)


def test_an_input_type_brings_no_web_framework_along() -> None:
    script = (
        "import runyard.serve, sys; runyard.serve.ArrayInput; print({'fastapi', 'uvicorn', 'numpy'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_a_service_is_an_asgi_application(model: Path) -> None:
    app = service(model)

    assert isinstance(app, Service)
    assert app.asgi is app.asgi
