"""Four GPUs, two people: every run has one GPU, and no GPU ever has two runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runyard.client import open_client
from tests.journeys.conftest import Story
from tests.nvml.machine import FakeMachine, build_library

pytestmark = pytest.mark.slow

# The lock is the test's own witness: a second run that sees the same GPU meanwhile cannot get it.
TRAIN = """
import fcntl, os, pathlib, time

def train(config, run):
    visible = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    proof = pathlib.Path(os.environ["PROOF"])
    witness = open(proof / f"in-use-{visible[0]}", "w")
    try:
        fcntl.flock(witness, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (proof / f"violation-{run.id}").write_text(visible[0])
    (proof / f"seen-{run.id}").write_text("\\n".join(visible))
    time.sleep(0.2)
    run.log(seed=config.seed)
"""


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    folder = tmp_path / "nvml"
    folder.mkdir()
    build_library(folder)
    machine = FakeMachine(folder)
    machine.has_gpus(4)
    return machine


def test_twelve_runs_of_two_people_on_four_gpus_never_share_one(
    make_story: Callable[..., Story], machine: FakeMachine, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    proof.mkdir()
    people = [make_story(train=TRAIN, name=name, PROOF=str(proof), **machine.env) for name in ("weld-seam", "paint")]
    for story in people:
        story.run("train", "seed=[0,1,2,3,4,5]", "--queue")

    workers = [story.start("work", "--drain") for story in people]

    assert [worker.wait(timeout=100) for worker in workers] == [0, 0]
    assert list(proof.glob("violation-*")) == []
    seen = [file.read_text().splitlines() for file in proof.glob("seen-*")]
    assert len(seen) == 12
    assert all(len(visible) == 1 and visible[0].startswith("GPU-") for visible in seen)
    for story in people:
        rows = open_client(story.home).index.find(None, limit=None)
        assert {row.state for row in rows} == {"COMPLETED"}


def test_a_gpu_that_somebody_uses_outside_runyard_is_left_alone(
    make_story: Callable[..., Story], machine: FakeMachine, tmp_path: Path
) -> None:
    machine.has_gpus(2)
    machine.also("compute 0 1 20000")  # the first process of the machine, surely none of ours
    proof = tmp_path / "proof"
    proof.mkdir()
    story = make_story(train=TRAIN, PROOF=str(proof), **machine.env)
    story.run("train", "seed=[0,1,2]", "--queue")

    story.run("work", "--drain")

    seen = {file.read_text() for file in proof.glob("seen-*")}
    assert seen == {machine.uuid(1)}


def test_a_run_in_the_foreground_takes_the_gpu_that_was_chosen(
    make_story: Callable[..., Story], machine: FakeMachine, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    proof.mkdir()
    story = make_story(train=TRAIN, PROOF=str(proof), **machine.env)

    story.run("train", "--gpus", "2")
    refused = story.run("train", "--gpus", "7", check=False)
    story.run("train", "--cpu")

    seen = sorted(file.read_text() for file in proof.glob("seen-*"))
    assert seen == ["", machine.uuid(2)]
    assert refused.returncode != 0
    assert "GPU 7 was asked for" in refused.stderr
