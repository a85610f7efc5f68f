import socket

import pytest

from runyard.database import Database
from runyard.errors import LeaseLost
from runyard.queue import HEARTBEAT_S, LEASE_S, Queue, WorkerRow
from tests.queue.builders import ANNA, BOB, NOW, ONE_CPU, a_run, claim, submit, the_row


def test_a_lease_expires_when_its_worker_falls_silent(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"))
    claim(queue)

    assert queue.expired(NOW + LEASE_S - 1) == []
    (lease,) = queue.expired(NOW + LEASE_S)

    assert (lease.run_id, lease.worker_id, lease.attempt) == ("one", ANNA, 1)
    assert lease.is_expired(NOW + LEASE_S)


def test_a_heartbeat_keeps_the_lease(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"))
    claim(queue)

    expires_at = queue.heartbeat("one", ANNA, 1, now=NOW + HEARTBEAT_S)

    assert expires_at == NOW + HEARTBEAT_S + LEASE_S
    assert queue.expired(NOW + LEASE_S) == []


def test_a_late_heartbeat_keeps_a_lease_that_nobody_took_away(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("one"))
    claim(queue)

    queue.heartbeat("one", ANNA, 1, now=NOW + 10 * LEASE_S)

    assert queue.expired(NOW + 10 * LEASE_S) == []


def test_a_lost_lease_is_told_at_the_next_heartbeat(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    claim(queue)
    late = NOW + LEASE_S

    queue.requeue(run, attempt=1, now=late)
    with pytest.raises(LeaseLost, match="gone back to the queue"):
        queue.heartbeat("one", ANNA, 1, now=late)

    claim(queue, BOB)
    with pytest.raises(LeaseLost, match=r"belongs to worker bob-2, attempt 2, not 1"):
        queue.heartbeat("one", ANNA, 1, now=late)
    with pytest.raises(LeaseLost):
        queue.finish("one", ANNA, 1)
    assert the_row(queue, "one").worker_id == BOB

    queue.finish("one", BOB, 2)
    with pytest.raises(LeaseLost, match="not in the queue any more"):
        queue.heartbeat("one", BOB, 2, now=late)


def test_an_earlier_attempt_of_the_same_worker_has_no_lease(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    claim(queue)
    queue.requeue(run, attempt=1, now=NOW)
    claim(queue)

    with pytest.raises(LeaseLost):
        queue.heartbeat("one", ANNA, 1, now=NOW)
    queue.heartbeat("one", ANNA, 2, now=NOW)


def test_leases_are_traced_to_the_host_of_their_worker(queue: Queue, database: Database) -> None:
    submit(queue, database, a_run("here"), a_run("there"))
    for worker, host in ((ANNA, socket.gethostname()), (BOB, "elsewhere")):
        row = WorkerRow(worker_id=worker, host=host, user="u", pid=1, home="/h", slots=(), seen_at=NOW)
        queue.see_worker(row)
        queue.claim_next(worker, ONE_CPU, now=NOW)

    assert [lease.run_id for lease in queue.leases_of_host()] == ["here"]
    assert [lease.run_id for lease in queue.leases_of_host("elsewhere")] == ["there"]


def test_a_run_that_left_for_a_newer_attempt_is_not_removed_with_the_old_one(queue: Queue, database: Database) -> None:
    run = a_run("one")
    submit(queue, database, run)
    claim(queue)
    queue.requeue(run, attempt=1, now=NOW)
    claim(queue)

    assert not queue.remove("one", attempt=1)
    assert queue.remove("one", attempt=2)
    assert not queue.remove("one")
