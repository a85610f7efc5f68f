"""A stop request: SIGTERM, then StopRun at the next log, or `should_stop` for code that asks."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.errors import StopRun
from runyard.journal.events import Failed, Finished, StopObeyed
from runyard.tracking import Run
from tests.tracking.journals import events_in, points_in


@pytest.fixture(autouse=True)
def _usual_sigterm() -> Iterator[None]:
    """SIGTERM as in a fresh process, whatever the test runner does with it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_next_log_raises_and_the_run_ends_as_stopped(run_dir: Path) -> None:
    def train() -> None:
        with Run.attach(run_dir, 1) as run:
            run.log(x=1.0)
            os.kill(os.getpid(), signal.SIGTERM)
            run.log(x=2.0)

    with pytest.raises(StopRun):
        train()

    assert points_in(run_dir)["x"] == [(0, 1.0)]
    assert len(events_in(run_dir, StopObeyed)) == 1
    assert not events_in(run_dir, Failed)
    assert not events_in(run_dir, Finished)


def test_a_training_that_swallows_exceptions_is_stopped_all_the_same(run_dir: Path) -> None:
    def train() -> None:
        with Run.attach(run_dir, 1) as run:
            os.kill(os.getpid(), signal.SIGTERM)
            try:
                run.log(x=2.0)
            except Exception:  # what many a training loop does
                pass

    with pytest.raises(StopRun):
        train()


def test_logging_media_raises_too(run_dir: Path) -> None:
    def train() -> None:
        with Run.attach(run_dir, 1) as run:
            os.kill(os.getpid(), signal.SIGTERM)
            run.log_text("sample", "x")

    with pytest.raises(StopRun):
        train()


def test_code_that_reads_should_stop_decides_itself(run_dir: Path) -> None:
    with Run.attach(run_dir, 1) as run:
        before = run.should_stop
        os.kill(os.getpid(), signal.SIGTERM)
        run.log(x=1.0)
        after = run.should_stop
        run.log(x=2.0)

    assert (before, after) == (False, True)
    assert points_in(run_dir)["x"] == [(0, 1.0), (1, 2.0)]
    assert len(events_in(run_dir, StopObeyed)) == 1


def test_another_thread_does_not_get_the_exception(run_dir: Path) -> None:
    def train() -> None:
        with Run.attach(run_dir, 1) as run:
            os.kill(os.getpid(), signal.SIGTERM)
            thread = threading.Thread(target=run.log, kwargs={"x": 1.0})
            thread.start()
            thread.join()
            assert points_in(run_dir)["x"] == [(0, 1.0)]
            run.log(x=2.0)

    with pytest.raises(StopRun):
        train()


def test_a_run_in_another_thread_installs_no_handler(run_dir: Path) -> None:
    thread = threading.Thread(target=lambda: Run.attach(run_dir, 1).finish())
    thread.start()
    thread.join()

    assert len(events_in(run_dir, Finished)) == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_handler_is_gone_after_the_run(run_dir: Path) -> None:
    with Run.attach(run_dir, 1):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_program_is_left_alone(run_dir: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    with Run.attach(run_dir, 1):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


@pytest.mark.parametrize("kills", [1, 2])
def test_a_second_sigterm_ends_a_process_that_logs_nothing(run_dir: Path, kills: int) -> None:
    program = (
        "import os, signal, sys; from runyard.tracking import Run; run = Run.attach(sys.argv[1], 1);"
        f"[os.kill(os.getpid(), signal.SIGTERM) for _ in range({kills})]; print('still here')"
    )

    ran = subprocess.run([sys.executable, "-c", program, run_dir], capture_output=True, check=False, timeout=60)

    assert ran.returncode == (0 if kills == 1 else -signal.SIGTERM)


def test_sigterm_ends_a_forked_child_as_always(run: Run) -> None:
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
