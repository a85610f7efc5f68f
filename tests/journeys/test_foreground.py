"""One run here and now: `python run.py train`."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Story

pytestmark = pytest.mark.slow

WAITS = """
import pathlib, time
def train(config, run):
    print("training began", flush=True)
    run.log(loss=1.0)
    pathlib.Path("began").touch()
    for _ in range(2000):
        if run.should_stop:
            print("saving", flush=True)
            return
        time.sleep(0.02)
"""


def test_a_run_in_the_foreground_shows_its_output_and_is_kept(story: Story) -> None:
    (story.folder / "src" / "train.py").write_text("def train(config, run):\n    print('hello', config.lr)\n")

    done = story.run("train", "lr=0.5")

    assert "hello 0.5" in done.stdout
    (run,) = runs(story)
    assert run["state"] == "COMPLETED"
    assert run["config"]["lr"] == 0.5
    assert "hello 0.5" in story.runyard("logs", run["id"]).stdout


def test_ctrl_c_stops_the_run_and_says_who_did_it(make_story: Callable[..., Story]) -> None:
    story = make_story(train=WAITS)
    process = story.start("train")
    wait_for(story.folder / "began")

    process.send_signal(signal.SIGINT)
    status = process.wait(timeout=60)

    (run,) = runs(story)
    assert run["state"] == "STOPPED"
    assert "Ctrl-C" in run["reason"]
    assert status == 130
    assert "saving" in story.runyard("logs", run["id"]).stdout


def test_a_failing_run_ends_with_its_traceback_and_exit_code_1(story: Story) -> None:
    done = story.run("train", "fails=true", check=False)

    assert done.returncode == 1
    assert "RuntimeError: seed 0 broke at 0" in done.stdout + done.stderr
    (run,) = runs(story)
    assert run["state"] == "FAILED"
    assert "RuntimeError" in run["reason"]


def test_two_configs_are_not_run_here_without_being_asked(story: Story) -> None:
    done = story.run("train", "lr=[0.1,0.2]", check=False)

    assert done.returncode == 2
    assert "--each" in done.stderr
    assert "--queue" in done.stderr


def test_each_runs_one_after_the_other(story: Story) -> None:
    story.run("train", "lr=[0.1,0.2]", "--each")

    assert [run["state"] for run in runs(story)] == ["COMPLETED", "COMPLETED"]


def test_inline_runs_in_one_process_for_a_debugger(story: Story) -> None:
    train = "import os\ndef train(config, run):\n    run.log(pid=os.getpid(), parent=os.getppid())\n"
    (story.folder / "src" / "train.py").write_text(train)

    story.run("train", "--inline")

    assert runs(story)[0]["state"] == "COMPLETED"


def test_a_run_waits_its_turn_when_the_slots_are_taken_and_says_for_whom(make_story: Callable[..., Story]) -> None:
    story = make_story(train=WAITS, slots=1)
    first = story.start("train")
    wait_for(story.folder / "began")
    (story.folder / "src" / "train.py").write_text("def train(config, run):\n    print('my turn')\n")
    second = story.start("train")
    log = story.home.parent / "worker.log"
    wait_for(log, containing="waiting")

    first.send_signal(signal.SIGINT)
    first.wait(timeout=60)

    assert second.wait(timeout=60) == 0
    assert "my turn" in log.read_text()


def test_a_data_path_that_is_not_there_is_told_before_a_run_starts(story: Story) -> None:
    done = story.run("train", "--data", "nowhere/at/all", check=False)

    assert done.returncode == 2
    assert "nowhere/at/all" in done.stderr
    assert runs(story) == []


def runs(story: Story) -> list[dict[str, Any]]:
    """What `runyard runs --json` says."""
    found: list[dict[str, Any]] = json.loads(story.runyard("runs", "--json", "--all").stdout)["runs"]
    return found


def wait_for(path: Path, *, containing: str = "", timeout_s: float = 60) -> None:
    """Until a file is there, with a text in it."""
    import time

    deadline = time.monotonic() + timeout_s
    while not (path.exists() and containing in path.read_text()):
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)
