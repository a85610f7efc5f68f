"""`runyard notebook`: a file that a real kernel has executed."""

import ast
import importlib.util
import json
import subprocess
from html import escape
from pathlib import Path
from typing import Any

import pytest

from runyard.cli.main import run
from runyard.journal import HOST, MAIN, JournalWriter
from runyard.journal.events import ArtifactStored, Media
from runyard.tracking.predictions import FILE, KIND, write_predictions
from tests.apps.seams import inspected
from tests.cli.builders import HOSTILE, Yard, environment


def two_runs(yard: Yard) -> None:
    yard.run(id="aaaaaaaaaa", name=HOSTILE, config={"lr": 0.1}, metrics={"val/accuracy": [0.5, 0.9]})
    row = yard.run(id="bbbbbbbbbb", name="<b>", config={"lr": 0.2}, metrics={"val/accuracy": [0.6, 0.8]}, state=None)
    journal = JournalWriter(yard.client.folder(row.id).attempt(1).journal(MAIN), run=row.id, attempt=1, stream=MAIN)
    journal.event(Media(time_ns=1, key="sample", step=0, kind="text", mime="text/plain", data=b"once upon a time"))
    journal.close()
    write_predictions(inspected(), yard.path / "draft.npz")
    sha256 = yard.client.artifacts.put_file(yard.path / "draft.npz")
    host = JournalWriter(yard.client.folder(row.id).attempt(1).journal(HOST), run=row.id, attempt=1, stream=HOST)
    host.event(ArtifactStored(time_ns=1, name=FILE, sha256=sha256, size_bytes=1, kind=KIND))
    host.close()


@pytest.fixture
def folder(yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where somebody works who has two runs."""
    two_runs(yard)
    found = tmp_path / "work"
    found.mkdir()
    monkeypatch.chdir(found)
    return found


def outputs(document: dict[str, Any]) -> list[str]:
    """The HTML that each cell of code shows, or else the text, as a browser would have it."""
    found = []
    for cell in document["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = "".join(data.get("text/plain") or output.get("text", ""))
            found.append("".join(data.get("text/html") or escape(text)))
    return found


@pytest.mark.slow
def test_a_notebook_opens_with_results_and_refuses_to_overwrite(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nbclient", reason="needs nbclient")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    subprocess.run(["git", "init", "--quiet"], check=True)

    code = run(["notebook", "aaaaaaaaaa", "bbbbbbbbbb", "--out", "two.ipynb"])

    told = capsys.readouterr()
    assert (code, "two.ipynb: 2 runs" in told.out) == (0, True), told.err
    assert "runyard check --fix" in told.err
    text = (folder / "two.ipynb").read_text()
    shown = "\n".join(outputs(json.loads(text)))
    assert "<svg" in shown
    assert "once upon a time" in shown
    assert "samples are right" in shown
    assert "<b>" not in shown
    assert "0.1" in shown
    assert str(folder) not in text
    assert [each.name for each in folder.iterdir() if each.name != ".git"] == ["two.ipynb"]

    code = run(["notebook", "aaaaaaaaaa", "--out", "two.ipynb"])

    assert (code, (folder / "two.ipynb").read_text()) == (2, text)
    assert "exists already. --force" in capsys.readouterr().err


def test_a_script_of_cells_runs_without_a_kernel(folder: Path, yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["notebook", "--where", 'project == "weld"', "--out", "two.py", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["file"], sorted(found["runs"])) == ("two.py", ["aaaaaaaaaa", "bbbbbbbbbb"])
    text = (folder / "two.py").read_text()
    ast.parse(text)
    assert text.count("# %%") == found["cells"]
    assert "outputs" not in text
    exec(compile(text, "two.py", "exec"), {})

    assert run(["notebook", "aaaaaaaaaa", "--out", "two.py", "--force"]) == 0
    assert "bbbbbbbbbb" not in (folder / "two.py").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["last", "--out", "two.html"], "ends in .ipynb"),
        (["last", "--out", "nowhere/two.py"], "There is no folder"),
        (["--out", "two.py"], "Name a run"),
        (["nothing", "--out", "two.py"], "nothing"),
        (["--where", "state == 'QUEUED'", "--out", "two.py"], "No run matches"),
        (["last", "--out", "taken.py"], "is a folder"),
    ],
)
def test_what_cannot_be_written_is_told_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    (folder / "taken.py").mkdir()

    assert run(["notebook", *words]) == 2

    assert sentence in capsys.readouterr().err
    assert [each.name for each in folder.iterdir()] == ["taken.py"]


def test_without_a_kernel_the_sentence_says_what_to_install(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ipykernel" else real(name))

    assert run(["notebook", "last"]) == 2

    assert "pip install 'runyard[notebook]'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_kernel_that_dies_is_told_and_leaves_nothing(
    folder: Path, yard: Yard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nbclient", reason="needs nbclient")
    broken = folder.parent / "broken"
    broken.mkdir()
    (broken / "ipykernel_launcher.py").write_text("raise SystemExit(3)")
    for name, value in environment(yard.path, PYTHONPATH=str(broken)).items():
        monkeypatch.setenv(name, value)

    assert run(["notebook", "last", "--out", "one.ipynb"]) == 4

    assert "kernel" in capsys.readouterr().err
    assert list(folder.iterdir()) == []
