"""Settings that become known while a run is under way, and runs below a run."""

from pathlib import Path

import numpy as np
import pytest

import runyard
from runyard.errors import UsageError
from runyard.journal.events import Configured
from runyard.tracking import Run
from runyard.tracking.settings import dotted
from tests.tracking.journals import events_in


def test_settings_are_kept_by_dotted_name(run: Run) -> None:
    run.configure({"optim": {"lr": np.float32(0.5), "betas": (0.9, 0.99)}, "path": Path("a"), "empty": {}})

    (event,) = events_in(run.dir, Configured)
    assert event.values == {"optim.lr": 0.5, "optim.betas": [0.9, 0.99], "path": "a", "empty": {}}


@pytest.mark.parametrize("wrong", [{1: 2}, {"": 1}, {"a": {None: 1}}])
def test_a_name_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="name is text"):
        dotted(wrong)


def test_settings_that_are_no_mapping_are_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="not list"):
        run.configure([("a", 1)])  # type: ignore[arg-type]  # the mistake is meant


def test_a_run_below_a_run_leaves_it_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path))
    monkeypatch.setattr("os.posix_spawn", lambda *_, **__: 0)
    study = runyard.start_run("weld")

    with runyard.start_run("weld", parent=study) as first:
        assert runyard.current_run() is first
    second = runyard.start_run("weld", parent=study)
    second.finish()

    assert not study.is_finished
    assert runyard.current_run() is study
    assert [child._spec.parent for child in (first, second)] == [study.id] * 2
    study.finish()


def test_a_run_below_one_that_runyard_started_is_a_run_of_its_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_RUN_DIR", str(run.dir))
    monkeypatch.setattr("os.posix_spawn", lambda *_, **__: 0)

    child = runyard.start_run(parent=run)

    assert child.id != run.id
    assert child.dir.parent == run.dir.parent
    child.finish()
