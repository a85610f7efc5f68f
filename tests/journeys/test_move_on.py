"""A run is cut off on one machine and goes on with its checkpoint on another one."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runyard.client import Client
from runyard.records import RunState
from tests.journeys.conftest import SEEDS_PY, Story
from tests.journeys.test_team import (
    Process,
    answers,
    ended_with_the_test,
    free_port,
    open_remotely,
    token_of,
    wait_until,
)

TRAIN = """
import os, pathlib

def train(config, run):
    place = run.checkpoint_dir / "step.txt"
    if run.resumed:
        run.log(resumed_at=int(place.read_text()))
        return
    place.write_text("41")
    os.mkfifo(run.dir / "never")
    (run.dir / "never").read_text()
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "shut down"])
def test_a_run_goes_on_with_its_checkpoint_on_another_machine_when_the_first_one_dies(
    make_story: Callable[..., Story], tmp_path: Path, is_killed: bool
) -> None:
    story = make_story(train=TRAIN, config=SEEDS_PY)
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def process(*command: str, name: str) -> Process:
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        (home / "machine.toml").write_text(f"[checkpoints]\nevery_min = {0.005 if is_killed else 600}\n")
        env = {"RUNYARD_HOME": str(home), "RUNYARD_LOCK_DIR": str(tmp_path / f"locks-{name}")}
        env |= {"RUNYARD_URL": "local" if name == "server" else url, "RUNYARD_CPU_SLOTS": "1"}
        return Process(list(command), env=story.env | env, cwd=story.folder, log=tmp_path / f"{name}.log")

    serve = ("-m", "runyard", "server", "--home", str(tmp_path / "server"), "--name", "127.0.0.1", "--port", str(port))
    processes = [process(*serve, name="server")]
    with ended_with_the_test(processes):
        story.env["RUNYARD_TOKEN"] = token = token_of("dora", tmp_path / "server", story)
        client = open_remotely(url, tmp_path / "desk", token)
        wait_until(lambda: answers(client), "the server answers")
        story.env |= {"RUNYARD_URL": url, "RUNYARD_HOME": str(tmp_path / "desk")}
        story.run("train", "--queue")
        (row,) = client.index.find(None)
        first = process("run.py", "work", name="anna")
        processes.append(first)
        if is_killed:
            wait_until(lambda: client.brought_checkpoints(row.id) is not None, "the checkpoint is on the server")
            first.popen.send_signal(signal.SIGSTOP)  # it may not see its supervisor die
            first.kill_tree()
            anna = story.env | {"RUNYARD_HOME": str(tmp_path / "anna")}  # sooner than its lease runs out
            sync = [sys.executable, "-m", "runyard", "sync"]
            subprocess.run(sync, env=anna, capture_output=True, check=True, timeout=60)
        else:  # nothing is on the server before the end, and then it is there before anybody else may go on
            never = f"anna/servers/*/runs/{row.id}/never"
            wait_until(lambda: bool(list(tmp_path.glob(never))), "the run has written its checkpoint")
            first.popen.send_signal(signal.SIGSTOP)
            supervisor_of(first).send_signal(signal.SIGTERM)
            wait_until(lambda: is_waiting(client, row.id), "the run is back in the queue")
            assert client.brought_checkpoints(row.id) is not None
        assert client.index.get(row.id).state == RunState.QUEUED

        processes.append(process("run.py", "work", name="ben"))

        wait_until(lambda: client.index.get(row.id).state == RunState.COMPLETED, "the run is completed")
        assert client.index.series(row.id, "resumed_at").values.tolist() == [41.0]
        assert client.index.get(row.id).attempt == 2
        assert "Working for the server" in (tmp_path / "ben.log").read_text()
        client.close()


def is_waiting(client: Client, run_id: str) -> bool:
    row = client.queue.row(run_id)
    return row is not None and row.state == "waiting"


def supervisor_of(worker: Process) -> psutil.Process:
    """The supervisor that has a training process."""
    family = psutil.Process(worker.popen.pid).children(recursive=True)
    return next(each for each in family for child in each.children() if "runyard.project.child" in child.cmdline())
