"""A test of CI goes through the queue like a training: before those that wait, with its output and its exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.journeys.conftest import Story

pytestmark = pytest.mark.slow


def queue(story: Story, *command: str) -> "subprocess.Popen[str]":
    """`runyard ci run -- …`, waiting in the queue."""
    process = subprocess.Popen(
        [sys.executable, "-m", "runyard", "ci", "run", "--", *command],
        cwd=story.folder,
        env=story.env | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "waits in the queue" in process.stderr.readline()
    return process


def test_command_runs_before_trainings_with_its_output_and_exit_code(make_story: Callable[..., Story]) -> None:
    story = make_story(slots=1)
    story.run("train", "seed=[0,1]", "--queue")
    program = (
        "import os, sys; print('in', os.path.basename(os.getcwd()), 'of', os.environ['RUNYARD_ATTEMPT']); sys.exit(7)"
    )
    process = queue(story, "python", "-c", program)

    worked = story.run("work", "--drain", check=False)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 7
    assert out == "in weld-seam of 1\n"
    assert "FAILED: exited with 7" in err
    started = [line for line in worked.stdout.splitlines() if "started" in line]
    assert "python -c" in started[0]
    assert story.runyard("runs").stdout.count("COMPLETED") == 2


def test_cancelled_job_takes_its_run_out_of_the_queue(make_story: Callable[..., Story]) -> None:
    story = make_story()
    process = queue(story, sys.executable, "-c", "print('never')")

    os.kill(process.pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert out == ""
    assert "STOPPED" in story.runyard("runs").stdout


def test_program_that_is_not_there_is_told(make_story: Callable[..., Story]) -> None:
    story = make_story()
    process = queue(story, "no-such-program")

    story.run("work", "--drain", check=False)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 127
    assert "no-such-program cannot be started: No such file or directory." in out
