"""docs/tracking.md: its Python blocks run, in order, and it names everything that `Run` offers."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runyard
from runyard.journal.events import Failed, Finished
from runyard.tracking import Run
from tests.tracking.journals import events_in, points_in

DOCUMENT = Path(__file__).parents[2] / "docs" / "tracking.md"
NOT_IN_THE_DOCUMENT = {"attach", "is_finished"}  # of the child process and for programs around a training


def test_every_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNYARD_RUN_DIR", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "posix_spawn", lambda *_, **__: os.getpid())  # no supervisor for each of the runs
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    for number, block in enumerate(re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)):
        exec(compile(block, f"docs/tracking.md, block {number}", "exec"), names)

    folders = list((tmp_path / "home" / "runs").iterdir())
    assert len(folders) == 2
    assert all(len(events_in(folder, Finished)) == 1 and not events_in(folder, Failed) for folder in folders)
    assert np.array_equal(names["weights"], np.ones(3))


def test_the_train_function_of_the_document_trains(run: Run, run_dir: Path) -> None:
    class Config:
        epochs = 3
        weights = np.zeros(2)

    names: dict[str, Any] = {}
    block = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    exec(compile(block, "docs/tracking.md", "exec"), names)

    names["train"](Config(), run)

    assert [step for step, _ in points_in(run_dir)["val/accuracy"]] == [0, 1, 2]


def test_the_document_names_everything_that_a_run_offers() -> None:
    offered = {name for name in dir(Run) if not name.startswith("_")} - NOT_IN_THE_DOCUMENT
    text = DOCUMENT.read_text()

    assert [name for name in sorted(offered) if name not in text] == []
    assert runyard.current_run.__name__ in text
