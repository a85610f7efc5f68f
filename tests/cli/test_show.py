import json
from datetime import UTC, datetime

import pytest

from runyard.bridges.intake import Foreign, begin
from runyard.cli.main import run
from runyard.journal.events import Environment
from runyard.records import CodeState, RunState
from tests.cli.builders import Yard, runyard


def test_everything_about_a_run_is_shown(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row = yard.run(
        name="lr=0.1",
        config={"optim": {"lr": 0.1}, "seed": 3},
        changed={"optim.lr": 0.1},
        metrics={"loss": [3.0, 1.0, 2.0]},
        files={"model.skops": b"12345"},
        packages={"numpy": "2.0"},
        code=CodeState(commit="abcdef0123456789", branch="main", is_dirty=True),
        tags=("baseline",),
        note="the one to beat",
        command=("run.py", "train"),
    )

    assert run(["show", row.id[:6]]) == 0

    shown = capsys.readouterr().out
    for text in (
        f"{row.id}  lr=0.1  COMPLETED",
        "* optim.lr  0.1",
        "  seed      3",
        "2 @ 2  1 @ 1  3 @ 0       3",
        "model.skops  artifact  5 bytes",
        "3.12.1, 1 package",
        "abcdef012345 with uncommitted changes on main",
        "baseline",
        "the one to beat",
        "run.py train",
    ):
        assert text in shown


def test_a_failure_shows_its_reason_and_the_end_of_its_traceback(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = "\n".join(f"frame {n}" for n in range(100)) + "\nValueError: shapes differ"
    yard.run(state=RunState.FAILED, reason="shapes differ", traceback=trace)

    assert run(["show", "last"]) == 0

    shown = capsys.readouterr().out
    assert "FAILED" in shown
    assert "  ValueError: shapes differ\n" in shown
    assert "the last 25 lines of 101" in shown
    assert "frame 10\n" not in shown


def test_of_a_run_of_another_tracker_nothing_is_claimed_that_nobody_knows(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    began = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
    foreign = Foreign(
        source="sacred:mongodb://lab/1", project="weld", name="1", created_at=began, started_at=began, config={"lr": 1}
    )
    with begin(yard.client, foreign) as arriving:
        arriving.environment(Environment(time_ns=0, python="3.8.1", platform="Linux", cpu="EPYC"))
        arriving.end(RunState.FAILED, at=began)

    assert run(["show", arriving.id]) == 0

    shown = capsys.readouterr().out
    for text in ("all defaults", "core", "runyard retry"):
        assert text not in shown
    assert "EPYC" in shown


def test_a_running_run_shows_progress(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(state=None, progress=(4, 10))

    assert run(["show", "last"]) == 0

    assert "40 %, 4 of 10 epochs, about " in capsys.readouterr().out


def test_json_holds_attempts_files_and_environment(yard: Yard) -> None:
    yard.run(files={"a.txt": b"hi"}, packages={"numpy": "2.0"}, state=RunState.STOPPED, reason="by anna: enough")

    found = json.loads(runyard(yard.path, "show", "last", "--json").stdout)

    assert found["state"] == "STOPPED"
    assert [attempt["reason"] for attempt in found["attempts"]] == ["by anna: enough"]
    assert [(file["name"], file["size_bytes"]) for file in found["files"]] == [("a.txt", 2)]
    assert found["environment"]["packages"] == {"numpy": "2.0"}


def test_a_run_is_found_by_the_beginning_of_its_id_by_name_and_as_the_last(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = yard.run(name="first"), yard.run(name="second")

    for text, row in ((first.id[:7], first), ("first", first), ("last", second), ("second", second)):
        assert run(["show", text, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["id"] == row.id


def test_a_name_that_two_runs_have_is_refused_with_both(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    twins = [yard.run(name="twin"), yard.run(name="twin")]

    assert run(["show", "twin"]) == 2

    error = capsys.readouterr().err
    assert all(row.id in error for row in twins)
