"""`runyard report` and `runyard demo`: what the command line says and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

import runyard
from runyard.cli.main import run
from runyard.index import RunRow
from runyard.journal import HOST, JournalWriter
from runyard.journal.events import ArtifactStored
from runyard.tracking.predictions import FILE, KIND, Predictions, write_predictions
from tests.apps.seams import inspected
from tests.cli.builders import Yard


def with_predictions(yard: Yard, row: RunRow, predictions: Predictions) -> RunRow:
    """The run after its supervisor has stored its answers."""
    path = yard.path / "draft.npz"
    write_predictions(predictions, path)
    attempt = yard.client.folder(row.id).attempts()[-1]
    journal = JournalWriter(attempt.journal(HOST), run=row.id, attempt=attempt.number, stream=HOST)
    sha256 = yard.client.artifacts.put_file(path)
    journal.event(ArtifactStored(time_ns=1, name=FILE, sha256=sha256, size_bytes=path.stat().st_size, kind=KIND))
    journal.close()
    path.unlink()
    yard.client.index.catch_up(row.id)
    return row


@pytest.fixture
def two(yard: Yard) -> tuple[RunRow, RunRow]:
    """Two runs that looked at the same seams."""
    new, old = (yard.run(name=name, metrics={"val/accuracy": [0.5, 0.9]}) for name in ("new", "old"))
    return with_predictions(yard, new, inspected(skill=1.3)), with_predictions(yard, old, inspected(skill=0.6))


def test_predictions_of_a_run_are_read_from_its_files(yard: Yard, two: tuple[RunRow, RunRow]) -> None:
    found = runyard.runs('name == "new"')[0].predictions()

    assert len(found) == 240
    assert np.array_equal(found.targets, inspected().targets)


def test_a_run_without_predictions_says_what_was_not_called(yard: Yard) -> None:
    yard.run(name="bare")

    with pytest.raises(runyard.RunyardError, match=r"\(bare\) has kept no predictions"):
        runyard.runs()[0].predictions()


def test_a_report_is_written_whole(
    yard: Yard, two: tuple[RunRow, RunRow], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    command = ["report", "new", "--compare", "old", "--lang", "de", "--redact", "--out", str(out)]

    code = run([*command, "--cost", "Fehler=120", "--cost", "Fehlalarm=4", "--unit", "€ je 1000 Teile"])

    assert code == 0
    text = out.read_text(encoding="utf-8")
    assert "Im Vergleich mit old" in text
    assert "Fehlalarm" in text
    assert "anna" not in text
    assert "1 run" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".report")] == []


def test_scripts_get_the_place_and_the_runs(
    yard: Yard, two: tuple[RunRow, RunRow], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.html"

    assert run(["report", "new", "old", "--out", str(out), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found == {"file": str(out), "size_bytes": out.stat().st_size, "runs": [row.id for row in two]}


def test_a_run_without_predictions_makes_a_report_with_a_remark(
    yard: Yard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = yard.run(metrics={"loss": [1.0, 0.5]})

    assert run(["report", row.id, "--out", str(tmp_path / "r.html")]) == 0
    assert "has kept no predictions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "nobody"], "nobody"),
        (["report", "new", "--lang", "fr"], "'fr' is none of the languages: de, en"),
        (["report", "new", "--cost", "much"], "--cost says 'much'"),
        (["report", "new", "--cost", "a=1"], "There are two ways of being wrong"),
        (["report", "new", "--positive", "scratch"], "'scratch' is no class"),
        (["report", "new", "--out", "nowhere/report.html"], "There is no folder"),
        (["report", "best"], "lies in none"),
        (["report", "new", "--compare", "new"], "which the report is about"),
        (["report", "new", "--out", "."], "is a folder"),
        (["report", "new", "--cost", "miss=1"], "costs names 1. Name both"),
        (["demo", "pack", "new"], "lies in no project"),
        (["demo", "check", "nowhere"], "is no packed demo"),
        (["demo", "open", "nowhere"], "is no packed demo"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    yard: Yard, two: tuple[RunRow, RunRow], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
