"""A plan made in Python goes into the queue as one of the command line does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.client import open_client
from runyard.records import RunState

FILES = {
    "run.py": "from runyard.runner import main\n\nraise SystemExit(main(__file__))\n",
    "runyard.toml": 'name = "weld-seam"\n',
    "src/config.py": "from runyard import Config\n\nclass C(Config):\n    seed: int = 0\n    lr: float = 0.1\n"
    "\nDEFAULT = C()\n",
    "src/train.py": "def train(config, run):\n    run.log(loss=config.lr)\n",
}
SUBMIT = """
import runyard
from src.config import DEFAULT

plan = runyard.expand(DEFAULT, runyard.grid({"lr": [0.1, 0.01]}).repeat(2))
done = runyard.submit(plan, tags=["night"], note="from Python", priority=3)
print(len(done.queued), done.finished, done.active, done.failed)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RUNYARD_LOCK_DIR", str(tmp_path / "locks"))
    folder = tmp_path / "weld-seam"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def execute(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_a_plan_is_queued_once_however_often_it_is_submitted(project: Path) -> None:
    first, again = execute(project, "-c", SUBMIT), execute(project, "-c", SUBMIT)

    assert (first.stdout, again.stdout) == ("4 0 0 0\n", "0 0 4 0\n"), first.stderr + again.stderr
    client = open_client()
    rows = client.index.find('state == "QUEUED"')
    assert {(row.tags, row.note, row.priority) for row in rows} == {(("night",), "from Python", 3)}
    client.close()


def test_a_plan_of_the_command_line_is_the_same_plan(project: Path) -> None:
    queued = execute(project, "run.py", "train", "lr=[0.1,0.01]", "seed=[0,1]", "--queue")
    assert queued.returncode == 0, queued.stderr

    assert execute(project, "-c", SUBMIT).stdout == "0 0 4 0\n"


def test_runs_that_failed_are_tried_again_only_if_asked(project: Path) -> None:
    execute(project, "-c", SUBMIT)
    client = open_client()
    for row in client.index.find():
        client.request_stop(row.id)

    left = execute(project, "-c", SUBMIT).stdout
    tried = execute(project, "-c", SUBMIT.replace('tags=["night"]', "retry_failed=True")).stdout

    assert (left, tried) == ("0 0 0 4\n", "4 0 0 0\n")
    assert {row.state for row in client.index.find()} == {RunState.QUEUED}
    client.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('tags=["night"]', 'tags="night"'), "tags takes a list"),
        (('tags=["night"]', 'data="/not/there"'), "/not/there"),
        (("expand(DEFAULT", "expand({'lr': 0.1, 'seed': 0, 'x': 1}"), "have other keys"),
        (('tags=["night"]', 'folder="/"'), "lies in no project"),
    ],
)
def test_what_cannot_be_queued_is_told_and_nothing_is_queued(project: Path, change: tuple[str, str], said: str) -> None:
    done = execute(project, "-c", SUBMIT.replace(*change))

    assert done.returncode == 1
    assert said in done.stderr
    client = open_client()
    assert client.index.count() == 0
    client.close()
