"""Several processes work on one home and one database: nothing is done twice, and nothing is lost."""

import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

from runyard.client import open_client
from runyard.errors import NotFound
from runyard.records import RunState
from tests.client.test_submission import some_runs

RUNS = 12
POINTS = 200

# Claims runs until none is left, lives through each of them as a supervisor would, and pokes into those of others.
WORK = f"""
import os, sys, threading, time
from runyard.client import open_client
from runyard.journal import HOST, MAIN, JournalWriter
from runyard.journal.events import Ended, Started
from runyard.queue import Capacity
from runyard.errors import NotFound
from runyard.records import WorkerId

home, name = sys.argv[1:]
client = open_client(home)
ROOM = Capacity(cpu_slots=1, all_cpu_slots=1)
problems = []

def execute(lease):
    attempt = client.folder(lease.run_id).attempt(lease.attempt)
    attempt.path.mkdir(parents=True)
    host = JournalWriter(attempt.journal(HOST), run=lease.run_id, attempt=lease.attempt, stream=HOST)
    main = JournalWriter(attempt.journal(MAIN), run=lease.run_id, attempt=lease.attempt, stream=MAIN)
    host.event(Started(time_ns=time.time_ns(), host="elsewhere", user="anna", pid=1))
    client.index.catch_up(lease.run_id)
    schema = main.declare(("loss",))
    for step in range(0, {POINTS}, 50):
        main.append(b"".join(schema.encode(step + i, time.time_ns(), [float(step + i)]) for i in range(50)))
        client.index.catch_up(lease.run_id)
        client.heartbeat(lease.run_id, lease.worker_id, lease.attempt)
        client.tag(lease.run_id, add=[f"step-{{step}}"])
        client.index.catch_up()
    ended = Ended(time_ns=time.time_ns(), state="COMPLETED")
    host.event(ended)
    client.attempt_ended(lease.run_id)
    main.close()
    host.close()

def work(worker):
    try:
        while lease := client.queue.claim_next(worker, ROOM, now=time.time()):
            os.write(1, lease.run_id.encode() + b"\\n")  # whole, whatever the other threads write
            execute(lease)
    except BaseException as problem:
        problems.append(problem)
        raise

threads = [threading.Thread(target=work, args=(WorkerId(f"{{name}}-{{number}}"),)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(bool(problems))
"""


def test_processes_with_threads_execute_every_run_once_while_others_rebuild_and_rearrange(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with closing(open_client(home)) as client:
        client.refresh()
        specs = some_runs(RUNS)
        client.submit(specs[: RUNS // 2])
        workers = [
            subprocess.Popen([*command(home), f"worker-{number}"], stdout=subprocess.PIPE, text=True)
            for number in range(2)
        ]
        for spec in specs[RUNS // 2 :]:
            client.submit([spec])
        client.hold([spec.id for spec in specs[-4:]], why="for a moment")
        client.reindex()
        client.release([spec.id for spec in specs[-4:]])
        with suppress(NotFound):  # it may have been claimed at once
            client.place(client.queue.to_top(specs[-1].id))
        claimed = [run_id for worker in workers for run_id in worker.communicate(timeout=200)[0].split()]
        claimed += finish(home)

        assert [worker.returncode for worker in workers] == [0, 0]
        assert sorted(claimed) == sorted(spec.id for spec in specs)
        assert client.queue.rows() == []
        for spec in specs:
            row = client.index.get(spec.id)
            assert (row.state, row.attempt, row.summary["loss"].count) == (RunState.COMPLETED, 1, POINTS)
            assert row.tags == ("step-0", "step-100", "step-150", "step-50")


def finish(home: Path) -> list[str]:
    """Execute what was held while the workers looked for the last time."""
    return subprocess.run([*command(home), "last"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def command(home: Path) -> list[str]:
    return [sys.executable, "-c", WORK, str(home)]
