"""What is in the file when a training is killed, when its disk is full, and when it ends."""

import os
import random
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.journal.events import Finished, Warned
from tests.tracking.journals import events_in, points_in

LOGS_AND_TELLS = """
import os, sys
from runyard.tracking import Run
run = Run.attach(sys.argv[1], 1)
step = 0
while True:
    run.log({"loss": 0.5 * step, "acc": step}, step=step)
    os.write(1, step.to_bytes(8, "little"))
    step += 1
"""

FULL_DISK = """
import resource, signal, sys
from runyard.tracking import Run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = Run.attach(sys.argv[1], 1)
run.log(loss=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
for step in range(1, 300):
    run.log(loss=step)
    if step == 200:
        run.tag("while it was full")
        run.log(late=7)
        run.log({"loss": step, "late": 8}, step=1_000)
if sys.argv[2] == "room":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run.log(loss=300)
run.finish()
"""

ENDS = """
import sys, threading
from runyard.tracking import Run
run = Run.attach(sys.argv[1], 1)
for step in range(1000):
    run.log(loss=step)
run.log_text("t", "x")
assert threading.enumerate() == [threading.main_thread()]
for module in ("socket", "sqlite3", "numpy", "sqlalchemy", "pydantic", "dataclasses", "multiprocessing", "asyncio"):
    assert module not in sys.modules, module
run.finish()
"""


@pytest.mark.parametrize("number", range(10))
def test_no_point_whose_log_returned_is_lost_by_sigkill(run_dir: Path, number: int) -> None:
    chance = random.Random(number)
    with subprocess.Popen([sys.executable, "-c", LOGS_AND_TELLS, run_dir], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(8 * chance.randrange(1, 3_000))
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        child.wait(timeout=60)
    acknowledged = int.from_bytes(rest[len(rest) // 8 * 8 - 8 :][:8], "little") if len(rest) >= 8 else 0

    found = points_in(run_dir)

    assert [step for step, _ in found["loss"]] == list(range(len(found["loss"])))
    assert len(found["loss"]) > acknowledged
    assert all(value == 0.5 * step for step, value in found["loss"])
    assert len(found["acc"]) == len(found["loss"])


def test_a_full_disk_costs_one_warning_and_nothing_is_lost_when_there_is_room(run_dir: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, run_dir, "room"], capture_output=True, text=True, check=True, timeout=60
    )

    steps = [step for step, _ in points_in(run_dir)["loss"]]
    assert steps == [*range(201), 1_000, *range(1_001, 1_101)]
    assert points_in(run_dir)["late"] == [(0, 7.0), (1_000, 8.0)]
    assert ran.stderr.count("cannot be written") == 1
    assert ran.stderr.count("what waited has been written") == 1
    assert len(events_in(run_dir, Warned)) == 2
    assert len(events_in(run_dir, Finished)) == 1


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can give another process room")
def test_the_end_of_a_training_waits_for_room_and_then_loses_nothing(run_dir: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(run_dir), "full"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        while "waiting up to 60 s" not in child.stderr.readline():
            assert child.poll() is None
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert child.wait(timeout=60) == 0

    steps = [step for step, _ in points_in(run_dir)["loss"]]
    assert steps == [*range(201), 1_000, *range(1_001, 1_100)]
    assert len(events_in(run_dir, Finished)) == 1


def test_a_disk_that_stays_full_does_not_fail_the_training_but_the_loss_is_told(run_dir: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, run_dir, "full"],
        env={**os.environ, "RUNYARD_ROOM_WAIT_S": "0.3"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "stayed full" in ran.stderr
    assert len(points_in(run_dir)["loss"]) > 10  # what fitted before is whole


def test_there_is_no_thread_no_socket_and_no_database_in_the_training_process(run_dir: Path) -> None:
    subprocess.run([sys.executable, "-c", ENDS, run_dir], check=True, timeout=60)

    assert len(points_in(run_dir)["loss"]) == 1_000


def test_a_call_is_one_write(run_dir: Path) -> None:
    strace = next((path for path in ("/usr/bin/strace", "/bin/strace") if os.path.exists(path)), None)
    if strace is None:
        pytest.skip("strace is not installed; the test above looks at modules and threads")
    program = "import sys; from runyard.tracking import Run; run = Run.attach(sys.argv[1], 1)\n" + (
        "run.log(loss=0)\nimport os; os.write(2, b'begin')\n"
        "for step in range(100): run.log(loss=step)\nos.write(2, b'end')\n"
    )
    log = run_dir / "strace"

    ran = subprocess.run([strace, "-f", "-o", log, sys.executable, "-c", program, run_dir], check=False, timeout=60)
    if ran.returncode:
        pytest.skip("this machine lets nobody trace")

    text = log.read_text()
    between = text[text.index('"begin"') : text.index('"end"')].splitlines()[1:-1]
    assert len(between) == 100
    assert all(" write(" in line for line in between)
    assert "socket(" not in text
    assert not re.search(r"\bclone3?\(", text)
