from dataclasses import dataclass

import pytest

from runyard.database import Database
from runyard.errors import LeaseLost
from runyard.queue import LEASE_S, Queue
from runyard.records import RunSpec, RunState
from tests.queue.builders import ANNA, NOW, a_run, claim, order, submit, the_row


@dataclass
class Told:
    """What the index says of a run."""

    state: RunState = RunState.QUEUED
    reason: str = ""
    attempt: int = 0
    priority: int = 0
    position: float | None = None


def rebuild(queue: Queue, database: Database, *entries: tuple[RunSpec, Told]) -> None:
    with database.transaction() as tx:
        queue.rebuild(tx, entries, now=NOW)


def test_a_rebuilt_queue_has_the_same_rows_as_before(queue: Queue, database: Database) -> None:
    specs = [a_run(f"run{number}", priority=number % 2) for number in range(6)]
    submit(queue, database, *specs)
    (moved,) = queue.move_before("run4", "run0")
    queue.place([moved])
    queue.hold(["run1"], why="wait for data")
    before = queue.rows()
    told = {spec.id: Told(priority=spec.priority) for spec in specs}
    told[specs[4].id] = Told(priority=moved.priority, position=moved.position)
    told[specs[1].id] = Told(RunState.HELD, "wait for data", priority=1)

    rebuild(queue, database, *((spec, told[spec.id]) for spec in reversed(specs)))

    assert queue.rows() == before


def test_runs_that_ended_or_never_were_queued_do_not_appear(queue: Queue, database: Database) -> None:
    rebuild(
        queue,
        database,
        (a_run("done"), Told(RunState.COMPLETED)),
        (a_run("direct", is_queued=False), Told(RunState.RUNNING, attempt=1)),
        (a_run("waits"), Told()),
    )

    assert order(queue) == ["waits"]


def test_a_live_lease_survives_a_rebuild(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run, a_run("gone"))
    claim(queue)

    rebuild(queue, database, (run, Told(RunState.RUNNING, attempt=1)))

    queue.heartbeat("one", ANNA, 1, now=NOW)
    assert queue.row("gone") is None


def test_a_running_run_whose_lease_was_lost_with_the_database_is_taken_over_by_its_heartbeat(
    queue: Queue, database: Database
) -> None:
    rebuild(queue, database, (a_run("one"), Told(RunState.RUNNING, attempt=2)))
    assert claim(queue) is None
    (lease,) = queue.leases_of_host()
    assert (lease.attempt, lease.expires_at) == (2, NOW + LEASE_S)

    with pytest.raises(LeaseLost):
        queue.heartbeat("one", ANNA, 1, now=NOW)
    queue.heartbeat("one", ANNA, 2, now=NOW + 30)

    assert the_row(queue, "one").worker_id == ANNA
    assert queue.expired(NOW + LEASE_S) == []


def test_the_number_of_the_attempt_survives_a_rebuild(queue: Queue, database: Database) -> None:
    rebuild(queue, database, (a_run("one"), Told(attempt=3)))

    claim(queue)

    assert the_row(queue, "one").attempt == 4
