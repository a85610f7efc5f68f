"""kill -9 of the training process, of its supervisor, of the worker: nothing is lost, nothing is untrue."""

import random
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runyard.client import open_client
from runyard.index import Index
from runyard.journal import MAIN
from runyard.journal.reader import Rows, read_journal
from tests.journeys.conftest import SEEDS_PY, Story

KILLS = 20
RUNS = 6
KINDS = ("runyard.project.child", "runyard.supervisor", "worker")

# Each step is acknowledged in a file after its log returned. The lock is the test's own witness: it is held
# on behalf of the slot as long as this process lives, so a second run on the same slot would be caught.
TRAIN = """
import fcntl, json, os, pathlib, time

def train(config, run):
    proof = pathlib.Path(os.environ["PROOF"])
    slot = os.environ["RUNYARD_SLOTS"]
    witness = open(proof / f"slot-{slot}", "w")
    try:
        fcntl.flock(witness, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (proof / "violation").write_text(f"{run.id} on {slot}")
    saved = run.checkpoint_dir / "step.json"
    start = json.loads(saved.read_text()) if saved.exists() else 0
    acks = os.open(proof / f"acks-{run.id}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(acks, f"start {run.attempt} {start}\\n".encode())
    for step in range(start, 150):
        run.log(loss=1 / (step + 1), step=step)
        os.write(acks, f"step {run.attempt} {step}\\n".encode())
        if step % 10 == 9:
            draft = saved.with_suffix(".draft")
            draft.write_text(str(step + 1))
            draft.rename(saved)
        time.sleep(0.01)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_is_untrue_whatever_is_killed(
    make_story: Callable[..., Story], tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    proof.mkdir()
    story = make_story(train=TRAIN, config=SEEDS_PY, PROOF=str(proof))
    story.run("train", f"seed={list(range(RUNS))}", "--queue", "--retries", "100")
    chance = random.Random(7)

    worker = story.start("work", "--drain")
    killed: list[str] = []
    kinds = chance.sample(KINDS * (KILLS // len(KINDS) + 1), KILLS)
    deadline = time.monotonic() + 300
    while len(killed) < KILLS:
        assert time.monotonic() < deadline, f"only {killed} after five minutes"
        if worker.poll() is not None:
            if worker.returncode == 0:  # all is done before all kills were dealt: more work
                story.run("train", f"seed=[{1000 + len(killed)}]", "--queue", "--retries", "100")
            worker = story.start("work", "--drain")
        kind = kinds[len(killed)]
        if _kill_one(story, kind, worker.pid, chance):
            killed.append(kind)
        _wait(worker, chance.uniform(0.1, 0.9))
    _wait(worker, 150)
    story.run("work", "--drain", timeout_s=150)

    assert len(killed) == KILLS
    assert not (proof / "violation").exists(), (proof / "violation").read_text()
    client = open_client(story.home)
    client.refresh()
    rows = client.index.find(None, limit=None)
    assert {row.state for row in rows} == {"COMPLETED"}
    assert any(row.attempt > 1 for row in rows)
    for row in rows:
        _every_acknowledged_step_is_kept(story, client.index, row.id, proof / f"acks-{row.id}")
    assert set(killed) == set(KINDS)


def _wait(worker: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    try:
        worker.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        pass  # it works, as it should


def _kill_one(story: Story, kind: str, worker: int, chance: random.Random) -> bool:
    """Whether there was somebody to kill: a worker counts only while it has a run on its way."""
    module = "runyard.supervisor" if kind == "worker" else kind
    try:
        victims = [each for each in story.processes(module) if "--standby" not in each.cmdline() or each.children()]
        if victims:
            (psutil.Process(worker) if kind == "worker" else chance.choice(victims)).kill()
        return bool(victims)
    except psutil.NoSuchProcess:
        return False


def _every_acknowledged_step_is_kept(story: Story, index: Index, run_id: str, acks: Path) -> None:
    acknowledged: dict[int, list[int]] = defaultdict(list)
    starts: dict[int, int] = {}
    for line in acks.read_text().splitlines():
        word, number, step = line.split()
        if word == "step":
            acknowledged[int(number)].append(int(step))
        else:
            starts[int(number)] = int(step)
    for attempt, steps in acknowledged.items():
        journal = story.home / "runs" / run_id / "attempts" / str(attempt) / f"{MAIN}.journal"
        kept = {int(step) for item in read_journal(journal)[0] if isinstance(item, Rows) for step in item.steps}
        assert set(steps) <= kept
        indexed = index.series(run_id, "loss", attempt=attempt)
        assert set(steps) <= set(indexed.steps.tolist())
    later = [attempt for attempt in starts if attempt > 1 and starts[attempt] > 0]
    reached = {attempt: max(steps) for attempt, steps in acknowledged.items()}
    for attempt in later:  # it went on from a checkpoint, not from the beginning
        before = max((reached[a] for a in reached if a < attempt), default=0)
        assert starts[attempt] >= (before + 1) // 10 * 10 - 10
