"""Who writes which journal: ranks, forked and spawned helpers, scripts that inherit the environment."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.journal.events import Finished, Opened
from runyard.tracking import Run, current_run
from tests.tracking.journals import events_in, points_in, streams_of

ATTACH = """
import os, runyard
run = runyard.start_run()
run.log(x=1.0)
print(run.id)
"""


def forked(code: int = 0) -> int:
    """Fork; in the parent wait for the child and return its exit code; the child gets 0 and must call os._exit."""
    pid = os.fork()
    if pid == 0:
        return 0
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    return pid


def test_the_training_process_writes_main_and_says_who_it_is(run: Run, run_dir: Path) -> None:
    assert streams_of(run_dir) == ["main"]
    assert [(event.pid, event.rank, event.world_size) for event in events_in(run_dir, Opened)] == [(os.getpid(), 0, 1)]


def test_a_rank_writes_a_stream_of_its_own(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")

    with Run.attach(run_dir, 1) as run:
        run.log(x=1.0)
        run.tag("from a rank")

    assert streams_of(run_dir) == ["rank3"]
    assert [(event.rank, event.world_size) for event in events_in(run_dir, Opened, stream="rank3")] == [(3, 8)]
    assert len(events_in(run_dir, Finished, stream="rank3")) == 1


def test_a_fork_alone_writes_nothing(run: Run, run_dir: Path) -> None:
    run.log(x=1.0)
    before = (run_dir / "attempts/1/main.journal").read_bytes()

    if not forked():
        os._exit(0)

    assert streams_of(run_dir) == ["main"]
    assert (run_dir / "attempts/1/main.journal").read_bytes() == before


def test_a_forked_child_that_logs_goes_on_in_a_stream_of_its_own(run: Run, run_dir: Path) -> None:
    run.log({"x": 1.0, "y": 1.0})
    run.log(z=3.0, step=40)

    pid = forked()
    if not pid:
        run.log({"x": 2.0, "y": 2.0})
        run.log({"x": 3.0, "y": 3.0})
        run.log(z=4.0)
        run.finish()
        os._exit(0)
    run.log({"x": 5.0, "y": 5.0})

    assert points_in(run_dir)["x"] == [(0, 1.0), (1, 5.0)]
    child = points_in(run_dir, stream=f"main-{pid}")
    assert child == {"x": [(1, 2.0), (2, 3.0)], "y": [(1, 2.0), (2, 3.0)], "z": [(41, 4.0)]}
    assert events_in(run_dir, Finished, stream=f"main-{pid}") == []
    assert events_in(run_dir, Finished) == []


def test_a_grandchild_has_its_own_stream_too(run: Run, run_dir: Path) -> None:
    if not forked():
        run.log(x=1.0)
        if not forked():
            run.log(x=2.0)
            os._exit(0)
        os._exit(0)

    assert len(streams_of(run_dir)) == 3


def test_a_forked_child_knows_the_run(run: Run) -> None:
    if not forked():
        os._exit(0 if current_run() is run else 1)
    assert current_run() is run


def test_a_script_that_inherits_the_environment_does_not_disturb_the_main_stream(run: Run, run_dir: Path) -> None:
    environment = {**os.environ, "RUNYARD_RUN_DIR": str(run_dir), "RUNYARD_ATTEMPT": "1"}
    run.log(x=5.0)

    ran = subprocess.run([sys.executable, "-c", ATTACH], env=environment, check=True, capture_output=True, text=True)

    assert ran.stdout.strip() == "abc123"
    assert points_in(run_dir) == {"x": [(0, 5.0)]}
    (other,) = set(streams_of(run_dir)) - {"main"}
    assert other.startswith("main-")
    assert points_in(run_dir, stream=other) == {"x": [(0, 1.0)]}
    assert events_in(run_dir, Finished, stream=other) == []


def test_an_unpickled_run_is_the_run_of_this_process(run: Run) -> None:
    assert pickle.loads(pickle.dumps(run)) is run


def test_a_spawned_process_that_gets_the_run_writes_a_stream_of_its_own(run: Run, run_dir: Path) -> None:
    program = "import pickle, sys; run = pickle.load(sys.stdin.buffer); run.log(x=1.0); run.finish(); print('ok')"

    ran = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(run), capture_output=True, check=True)

    assert ran.stdout == b"ok\n"
    assert [stream.partition("-")[0] for stream in streams_of(run_dir)] == ["main", "main"]
