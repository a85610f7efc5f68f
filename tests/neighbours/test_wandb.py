"""W&B's own client writes, offline, and Runyard reads it: whole runs, killed ones, and one that was resumed."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runyard.bridges.wandb.framing import BLOCK_BYTES
from runyard.bridges.wandb.importing import QUIET_S, take_in
from runyard.client import Client, open_client
from runyard.client.runs import TrackedRun
from tests.neighbours.venvs import WANDB, NotInstalled, python_of

TRAIN = Path(__file__).parents[1] / "bridges" / "wandb" / "train.py"
RESUMED = """
import sys, wave, wandb
run = wandb.init(project="weld", id="again", resume="allow", config={"lr": 0.1})
begin = int(sys.argv[1])
if not begin:
    with wave.open("hum.wav", "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    with open("film.mp4", "wb") as file:
        file.write(b"\\0\\0\\0\\x18ftypmp42" + bytes(100))
    run.log({"hum": wandb.Audio("hum.wav", caption="low"), "film": wandb.Video("film.mp4")}, step=0)
for step in range(begin, begin + 3):
    run.log({"loss": step}, step=step)
run.finish(exit_code=int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def wandb() -> Path:
    """The interpreter with the real package."""
    try:
        return python_of(WANDB)
    except NotInstalled as problem:
        pytest.skip(f"W&B cannot be installed: {problem}")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


def train(python: Path, folder: Path, *arguments: str) -> int:
    """Execute a program that logs offline; return its exit code."""
    folder.mkdir(exist_ok=True)
    own = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": str(folder), "WANDB_DATA_DIR": str(folder / "data")}
    own |= {"WANDB_ERROR_REPORTING": "false", "WANDB_CACHE_DIR": str(folder / "cache"), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [str(python), *arguments], env=own, cwd=folder, capture_output=True, timeout=280, check=False
    ).returncode


def the_run(client: Client) -> TrackedRun:
    (row,) = client.index.find(None)
    return TrackedRun(client, row)


@pytest.mark.slow
def test_a_run_of_the_real_package_is_read_whole(wandb: Path, client: Client, tmp_path: Path) -> None:
    assert train(wandb, tmp_path / "there", str(TRAIN)) == 0

    done = take_in(client, tmp_path / "there", project="weld")

    found = the_run(client)
    assert (found.state, found.config["optim"]["lr"], done.problems) == ("COMPLETED", 0.1, [])
    assert found.series("loss").values.tolist() == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert {row.kind for row, _ in found.media()} == {"histogram", "image", "table", "text"}
    files = {file.name: file for file in found.artifacts()}
    assert files["notes.txt"].path is not None
    assert files["notes.txt"].path.read_text() == "kept"
    assert files["artifacts/model/notes.txt"].kind == "model"


@pytest.mark.slow
def test_a_killed_run_gives_what_it_had_written(wandb: Path, client: Client, tmp_path: Path) -> None:
    assert train(wandb, tmp_path / "there", str(TRAIN), "800") == -signal.SIGKILL
    (path,) = (tmp_path / "there" / "wandb").glob("offline-run-*/run-*.wandb")
    whole = path.read_bytes()
    assert len(whole) > 3 * BLOCK_BYTES
    path.write_bytes(whole[: 2 * BLOCK_BYTES + 1234])  # as a machine leaves it that went down

    done = take_in(client, tmp_path / "there", project="weld", now_s=time.time() + QUIET_S + 1)

    found = the_run(client)
    steps = found.series("loss").steps.tolist()
    assert (found.state, steps) == ("LOST", list(range(len(steps))))
    assert len(steps) > 50
    assert [each for each in done.problems if "ends in the middle of a record" in each]


@pytest.mark.slow
def test_a_resumed_run_is_one_run(wandb: Path, client: Client, tmp_path: Path) -> None:
    assert train(wandb, tmp_path / "there", "-c", RESUMED, "0", "1") == 0
    take_in(client, tmp_path / "there", project="weld")
    assert (the_run(client).state, the_run(client).reason) == ("FAILED", "exit code 1")
    media = {row.key: medium for row, medium in the_run(client).media()}
    assert {key: (medium.kind, medium.mime) for key, medium in media.items()} == {
        "hum": ("audio", "audio/wav"),
        "film": ("video", "video/mp4"),
    }
    assert (media["hum"].meta["caption"], len(media["hum"].data)) == ("low", 1600 + 44)
    assert not [file.name for file in the_run(client).artifacts() if file.name.startswith("media/")]

    assert train(wandb, tmp_path / "there", "-c", RESUMED, "3", "0") == 0
    done = take_in(client, tmp_path / "there", project="weld")

    assert (done.continued, the_run(client).state) == (1, "COMPLETED")
    assert the_run(client).series("loss").steps.tolist() == [0, 1, 2, 3, 4, 5]
