"""Settings that become known while a run is under way, and runs below a run."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runyard
from runyard.errors import UsageError
from runyard.journal.events import Configured
from runyard.tracking import Run
from runyard.tracking.settings import dotted, plain
from tests.tracking.journals import events_in


def test_settings_are_kept_by_dotted_name(run: Run) -> None:
    run.configure({"optim": {"lr": np.float32(0.5), "betas": (0.9, 0.99)}, "path": Path("a"), "empty": {}})

    (event,) = events_in(run.dir, Configured)
    assert event.values == {"optim.lr": 0.5, "optim.betas": [0.9, 0.99], "path": "a", "empty": {}}


class Colour(StrEnum):
    RED = "red"


class Whole(int):
    """A number of a library."""


@dataclass(slots=True)
class Optimiser:
    lr: Any
    path: Path


class Quiet:
    """Has no text of its own."""


class Loud:
    def __str__(self) -> str:
        raise ValueError


def in_itself() -> list[Any]:
    found: list[Any] = [1]
    found.append(found)
    return found


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.arange(3), [0, 1, 2]),
        (np.zeros((100, 100)), "ndarray of shape (100, 100)"),
        (np.str_("a"), "a"),
        ({1: {None: (1, {2.5})}}, {"1": {"None": [1, [2.5]]}}),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (Path("a/b"), "a/b"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (Colour.RED, "red"),
        (Whole(3), 3),
        (Optimiser(lr=np.float64(0.1), path=Path("a")), {"lr": 0.1, "path": "a"}),
        (Quiet, "Quiet"),
        (Quiet(), "Quiet"),
        (Loud(), "Loud"),
        (partial(lambda: 1), "partial"),
        (Quiet.__init__, "object.__init__"),
        (complex(1, 2), "(1+2j)"),
        (in_itself(), [1, "list"]),
    ],
)
def test_whatever_stands_among_settings_becomes_plain(value: Any, expected: Any) -> None:
    found = plain(value)

    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found)


def test_a_mapping_without_end_costs_its_value_and_nothing_else() -> None:
    assert plain({"a": deep(), "b": 1}) in ("dict", {"a": "list", "b": 1})


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
