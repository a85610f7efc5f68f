"""The truth about attempts whose supervisor is gone, and about those that never began."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runyard.client import Client, open_client
from runyard.client.reaper import HANDOVER_S, START_S
from runyard.errors import ConflictError, NotFound
from runyard.hosts import host_name
from runyard.index import RunRow
from runyard.journal import HOST, MAIN, Attempt, JournalWriter
from runyard.journal.events import Ended, FileLogged, Opened, Started
from runyard.queue import LEASE_S, Capacity, Lease, WorkerRow
from runyard.records import RunId, RunSpec, WorkerId, new_run_id
from runyard.supervisor import LaunchOrder, supervise

ROOM = Capacity(cpu_slots=1, all_cpu_slots=1, cores_per_slot=1, cores=1, memory_bytes=1 << 40)
ME = WorkerId("me")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        client.refresh()
        yield client


@pytest.fixture(scope="module")
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def a_run(client: Client, *, age_s: float = 0.0, **changes: object) -> RunId:
    spec = {
        "id": new_run_id(),
        "project": "weld",
        "name": "run",
        "created_at": datetime.now(UTC) - timedelta(seconds=age_s),
        "is_queued": True,
        "retries": 3,
        "host": host_name(),
        **changes,
    }
    run = RunSpec(**spec)  # type: ignore[arg-type]  # fields by name, each of its own type
    client.submit([run])
    return run.id


def claim(client: Client, *, pid: int, now: float) -> Lease:
    row = WorkerRow(
        worker_id=ME, host=host_name(), user="anna", pid=pid, home=str(client.home.path), slots=("cpu-0",), seen_at=now
    )
    client.queue.see_worker(row)
    lease = client.queue.claim_next(ME, ROOM, now=now)
    assert lease is not None
    return lease


def begin(client: Client, run_id: str, number: int = 1, *, boot_id: str = "") -> Attempt:
    """What a supervisor leaves that is killed in the middle of a run."""
    attempt = client.folder(run_id).attempt(number)
    attempt.path.mkdir(parents=True)
    with closing(JournalWriter(attempt.journal(HOST), run=run_id, attempt=number, stream=HOST)) as journal:
        journal.event(Started(time_ns=time.time_ns(), host=host_name(), user="anna", pid=1, boot_id=boot_id))
    with closing(JournalWriter(attempt.journal(MAIN), run=run_id, attempt=number, stream=MAIN)) as journal:
        journal.event(Opened(time_ns=time.time_ns(), pid=2))
    client.index.catch_up(run_id)
    return attempt


@contextmanager
def supervised(attempt: Attempt) -> Iterator[None]:
    with attempt.journal(HOST).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def look(client: Client, run_id: str) -> RunRow:
    client.index.catch_up(run_id)
    return client.index.get(run_id)


def test_a_killed_supervisor_puts_its_run_back_into_the_queue(client: Client) -> None:
    run_id = a_run(client)
    claim(client, pid=os.getpid(), now=time.time())
    begin(client, run_id)

    assert client.reap(time.time()) == [run_id]

    row, waiting = look(client, run_id), client.queue.row(run_id)
    assert row.state == "QUEUED"
    assert "supervisor was ended from outside" in row.reason
    assert waiting is not None
    assert (waiting.state, waiting.attempt) == ("waiting", 1)
    assert client.reap(time.time()) == []


def test_a_living_supervisor_is_left_alone_however_late_its_lease_is(client: Client) -> None:
    run_id = a_run(client)
    claim(client, pid=os.getpid(), now=time.time())
    attempt = begin(client, run_id)

    with supervised(attempt):
        assert client.reap(time.time() + 100 * LEASE_S) == []

    assert look(client, run_id).state == "RUNNING"


def test_a_restart_of_the_machine_is_told_as_the_reason(client: Client) -> None:
    run_id = a_run(client)
    begin(client, run_id, boot_id="another start of this machine")

    client.reap(time.time())

    assert f"{host_name()} was restarted while it ran" in look(client, run_id).reason


def test_a_run_whose_worker_died_before_its_supervisor_was_there_waits_again_soon(
    client: Client, dead_pid: int
) -> None:
    run_id, now = a_run(client), time.time()
    claim(client, pid=dead_pid, now=now)

    assert client.reap(now + HANDOVER_S - 1) == []
    assert client.reap(now + HANDOVER_S + 1) == [run_id]

    lease = claim(client, pid=os.getpid(), now=now + HANDOVER_S + 2)
    assert (lease.run_id, lease.attempt) == (run_id, 2)


def test_a_living_worker_has_the_whole_lease_to_start_its_supervisor(client: Client) -> None:
    run_id, now = a_run(client), time.time()
    claim(client, pid=os.getpid(), now=now)

    assert client.reap(now + LEASE_S - 1) == []
    assert client.reap(now + LEASE_S + 1) == [run_id]


def test_a_supervisor_that_is_just_about_to_lock_its_journal_keeps_its_run(client: Client) -> None:
    run_id, now = a_run(client), time.time()
    lease = claim(client, pid=os.getpid(), now=now)
    attempt = client.folder(run_id).attempt(lease.attempt)
    attempt.path.mkdir(parents=True)
    with closing(JournalWriter(attempt.journal(HOST), run=run_id, attempt=lease.attempt, stream=HOST)):
        assert client.reap(now + 1) == []

    assert client.queue.leases_of_host() == [lease]


def test_a_run_that_was_cancelled_after_its_claim_leaves_the_queue_when_its_worker_died(
    client: Client, dead_pid: int
) -> None:
    run_id, now = a_run(client), time.time()
    claim(client, pid=dead_pid, now=now)
    client.request_stop(run_id)

    client.reap(now + HANDOVER_S + 1)

    assert client.queue.row(run_id) is None


def test_a_supervisor_that_appears_after_its_run_was_given_away_does_not_start(client: Client, dead_pid: int) -> None:
    run_id, now = a_run(client), time.time()
    lease = claim(client, pid=dead_pid, now=now)
    client.reap(now + HANDOVER_S + 1)

    with pytest.raises(ConflictError, match="started before"):
        supervise(LaunchOrder(run_id=run_id, home=str(client.home.path), attempt=lease.attempt, worker_id=ME))

    assert "never began" in look(client, run_id).warnings[0]


def test_a_run_in_a_terminal_that_was_killed_before_it_began_is_interrupted(client: Client) -> None:
    fresh = a_run(client, is_queued=False)
    old = a_run(client, is_queued=False, age_s=START_S + 1)

    assert client.reap(time.time()) == [old]

    assert look(client, old).state == "INTERRUPTED"
    assert "before it began" in look(client, old).reason
    assert look(client, fresh).reason == "has not started yet"


def test_a_run_in_a_terminal_that_waits_on_another_machine_is_left_alone(client: Client) -> None:
    a_run(client, is_queued=False, age_s=START_S + 1, host="ws7")

    assert client.reap(time.time()) == []


def test_files_of_a_killed_supervisor_are_stored_and_a_reindex_agrees(client: Client) -> None:
    run_id = a_run(client)
    attempt = begin(client, run_id)
    with closing(JournalWriter(attempt.journal(MAIN), run=run_id, attempt=1, stream=MAIN)) as journal:
        journal.event(FileLogged(time_ns=1, name="model", kind="model", meta={"format": "skops"}))
    for name, place in [
        ("plot.png", attempt.moving / "17"),
        ("model/weights", attempt.files),
        (".half", attempt.files),
    ]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"content of {name}")
    with attempt.journal(HOST).open("ab") as file:
        file.write(b"\x04\0\0\0torn")

    client.reap(time.time())

    before = client.index.artifacts(run_id)
    assert {(each.name, each.kind) for each in before} == {("plot.png", "artifact"), ("model/weights", "model")}
    assert before[-1].meta == {"format": "skops"}
    for each in before:
        assert client.artifacts.path(each.sha256).read_text() == f"content of {each.name}"
    assert [path.name for path in attempt.files.iterdir()] == [".half"]
    client.reindex()
    assert client.index.artifacts(run_id) == before


def test_a_folder_that_somebody_deleted_by_hand_keeps_nobody_from_working(client: Client) -> None:
    gone, other = a_run(client), a_run(client)
    for run_id in (gone, other):
        claim(client, pid=os.getpid(), now=time.time())
        begin(client, run_id)
    shutil.rmtree(client.folder(gone).path)

    client.refresh()

    assert look(client, other).state == "QUEUED"
    assert client.queue.row(gone) is None
    with pytest.raises(NotFound):
        client.index.get(gone)


def test_a_damaged_run_json_keeps_nobody_from_working(client: Client) -> None:
    broken, other = a_run(client), a_run(client)
    for run_id in (broken, other):
        claim(client, pid=os.getpid(), now=time.time())
        begin(client, run_id)
    client.folder(broken).spec.write_text("{ this is no")

    client.refresh()

    assert look(client, other).state == "QUEUED"


def test_an_end_that_the_queue_never_heard_of_is_settled(client: Client) -> None:
    run_id = a_run(client)
    claim(client, pid=os.getpid(), now=time.time())
    attempt = begin(client, run_id)
    with closing(JournalWriter(attempt.journal(HOST), run=run_id, attempt=1, stream=HOST)) as journal:
        journal.event(Ended(time_ns=time.time_ns(), state="COMPLETED"))

    client.reap(time.time())

    assert look(client, run_id).state == "COMPLETED"
    assert client.queue.row(run_id) is None
