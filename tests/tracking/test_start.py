"""`start_run()`: a run for any process, and a true end however that process ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import runyard
from runyard.errors import FormatUnknown, UsageError
from runyard.journal.events import Ended, Failed, Finished, StopObeyed
from tests.tracking.journals import events_in, points_in

NO_SUPERVISOR = "os.posix_spawn = lambda *_, **__: os.getpid()\n"  # each costs a second of CPU; one test has a real one

REAL_SPAWN = os.posix_spawn


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RUNYARD_RUN_DIR", "RUNYARD_ATTEMPT", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "posix_spawn", lambda *_, **__: os.getpid())
    return tmp_path / "home"


def script(home: Path, program: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program that begins with an open run called `run`."""
    text = f"import os, sys, signal, runyard; {NO_SUPERVISOR}run = runyard.start_run('weld')\n" + dedent(program)
    with pytest.MonkeyPatch.context() as really:
        really.setattr(os, "posix_spawn", REAL_SPAWN)  # `subprocess` uses it, too, from Python 3.13 on
        return subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=timeout
        )


def only_run(home: Path) -> Path:
    (folder,) = (home / "runs").iterdir()
    return folder


def test_a_run_gets_a_folder_and_a_supervisor(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("RUNYARD_HOME", str(home))

    with runyard.start_run("weld", config={"lr": 0.1}, name="first", tags=["baseline"]) as run:
        run.log({"loss": 0.3}, step=7)

    spec = json.loads((home / "runs" / run.id / "run.json").read_text())
    assert (spec["project"], spec["name"], spec["kind"]) == ("weld", "first", "external")
    assert (spec["config"], spec["tags"]) == ({"lr": 0.1}, ["baseline"])
    assert spec["command"] == sys.orig_argv
    assert points_in(run.dir) == {"loss": [(7, 0.3)]}
    assert len(events_in(run.dir, Finished)) == 1
    _, status = os.waitpid(-1, 0)  # it is our child, started by start_run
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(events_in(run.dir, Ended, stream="host")) == 1


def test_the_supervisor_is_told_the_folder_and_the_process(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def spawn(*given: Any, **options: Any) -> int:
        calls.append((given, options))
        return os.getpid()

    monkeypatch.setattr(os, "posix_spawn", spawn)

    run = runyard.start_run("weld")
    run.finish()

    (given, options) = calls[0]
    assert given[1][1:] == ["-P", "-m", "runyard.supervisor", "--watch", str(run.dir), "--pid", str(os.getpid())]
    assert options["setsid"] is True


def test_a_supervisor_that_cannot_start_costs_a_warning(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("RUNYARD_HOME", str(home))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with runyard.start_run("weld") as run:
        run.log(x=1)

    assert "could not be started" in capfd.readouterr().err
    assert points_in(run.dir) == {"x": [(0, 1.0)]}


def test_current_run_is_the_open_one(home: Path) -> None:
    assert runyard.current_run() is None

    with runyard.start_run("weld") as run:
        assert runyard.current_run() is run

    assert runyard.current_run() is None


def test_a_cell_that_is_run_again_ends_its_first_run(home: Path) -> None:
    first = runyard.start_run("weld")
    second = runyard.start_run("weld")

    assert first.is_finished
    assert first.id != second.id
    second.finish()


def test_a_process_that_runyard_started_joins_its_run(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_RUN_DIR", str(run_dir))
    monkeypatch.setenv("RUNYARD_ATTEMPT", "1")

    with runyard.start_run("another name") as run:
        assert (run.id, run.project, run.config) == ("abc123", "weld", {"lr": 0.1})
        assert runyard.start_run() is run


class Pydantic:
    def model_dump(self, mode: str) -> dict[str, Any]:
        return {"lr": 0.1, "mode": mode}


class Namespace:
    def __init__(self) -> None:
        self.lr = 0.1
        self.path = Path("/data")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, {}),
        ({"a": {"b": (1, 2)}, 3: None}, {"a": {"b": [1, 2]}, "3": None}),
        (Pydantic(), {"lr": 0.1, "mode": "json"}),
        (Namespace(), {"lr": 0.1, "path": "/data"}),
    ],
)
def test_configs_of_many_kinds_are_kept(home: Path, config: Any, expected: dict[str, Any]) -> None:
    run = runyard.start_run("weld", config=config)
    run.finish()

    assert json.loads((run.dir / "run.json").read_text()).get("config", {}) == expected
    assert run.config is config or config is None


def test_values_of_numpy_in_a_config_become_numbers(home: Path) -> None:
    import numpy as np

    run = runyard.start_run("weld", config={"lr": np.float32(0.5), "sizes": np.array([1, 2])})
    run.finish()

    assert json.loads((run.dir / "run.json").read_text())["config"] == {"lr": 0.5, "sizes": [1, 2]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": ""},
        {"project": "a\nb"},
        {"project": 3},
        {"name": ""},
        {"tags": "baseline"},
        {"tags": [3]},
        {"config": 3},
        {"config": [1]},
    ],
)
def test_a_wrong_call_is_told_before_anything_is_made(home: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        runyard.start_run(**{"project": "weld", **wrong})

    assert not home.exists() or not list((home / "runs").iterdir())


def test_a_home_of_a_newer_format_is_refused(home: Path) -> None:
    home.mkdir()
    (home / "home.json").write_text('{"format": 9}')

    with pytest.raises(FormatUnknown, match="9"):
        runyard.start_run("weld")


# ---- the end of the process ----


def test_a_process_that_returns_has_completed(home: Path) -> None:
    script(home, "run.log(x=1)")

    assert len(events_in(only_run(home), Finished)) == 1


def test_an_exception_nobody_catches_is_the_end_of_the_run(home: Path) -> None:
    ran = script(home, "raise ValueError('no good')")

    (failed,) = events_in(only_run(home), Failed)
    assert (failed.type, failed.message) == ("ValueError", "no good")
    assert "raise ValueError" in failed.traceback or "line 3" in failed.traceback
    assert "ValueError: no good" in ran.stderr
    assert ran.returncode == 1


def test_an_excepthook_of_the_program_still_runs(home: Path) -> None:
    program = """
    sys.excepthook = lambda *_: print("mine", file=sys.stderr)
    run.finish()
    second = runyard.start_run("weld")
    raise ValueError
    """

    assert "mine" in script(home, program).stderr


@pytest.mark.parametrize(
    ("statement", "code", "is_failure"),
    [("sys.exit(3)", 3, True), ("sys.exit('no data')", 1, True), ("sys.exit(0)", 0, False), ("sys.exit()", 0, False)],
)
def test_sys_exit_is_told_by_its_code(home: Path, statement: str, code: int, is_failure: bool) -> None:
    ran = script(home, statement)

    assert ran.returncode == code
    assert len(events_in(only_run(home), Failed)) == is_failure
    assert len(events_in(only_run(home), Finished)) == (not is_failure)


def test_ctrl_c_is_a_stop_and_no_failure(home: Path) -> None:
    script(home, "os.kill(os.getpid(), signal.SIGINT); signal.pause()")

    (stop,) = events_in(only_run(home), StopObeyed)
    assert "keyboard" in stop.reason


def test_a_killed_process_tells_no_end(home: Path) -> None:
    script(home, "run.log(x=1); os.kill(os.getpid(), signal.SIGKILL)")

    assert points_in(only_run(home)) == {"x": [(0, 1.0)]}
    assert not events_in(only_run(home), Finished)
    assert not events_in(only_run(home), Failed)


def test_a_forked_child_that_exits_does_not_end_the_run(home: Path) -> None:
    program = """
    if os.fork() == 0:
        run.log(x=1)
        sys.exit(4)
    os.wait()
    run.log(x=2)
    """
    ran = script(home, program)

    assert ran.returncode == 0
    assert len(events_in(only_run(home), Finished)) == 1
    assert points_in(only_run(home)) == {"x": [(0, 2.0)]}


def test_a_context_tells_the_exception_that_leaves_it(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), runyard.start_run("weld") as run:
        run.log(x=1 / 0)

    (failed,) = events_in(run.dir, Failed)
    assert failed.type == "ZeroDivisionError"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
