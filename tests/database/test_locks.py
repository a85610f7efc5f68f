"""Who waits for whom on PostgreSQL, seen by who gets through while a lock is held."""

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import OperationalError

from runyard.database import (
    Database,
    again_after_deadlock,
    insert_missing,
    keep_code,
    lock_code,
    lock_queue,
    lock_runs,
)
from runyard.database.schema import queue, workers
from tests.database.test_connection import a_worker
from tests.postgresql import TEMPLATE, PostgreSQL

Lock = Callable[[Connection], None]


@pytest.fixture
def database(postgresql_server: PostgreSQL) -> Iterator[Database]:
    """SQLite has one writer at a time and none of these locks."""
    with postgresql_server.database(TEMPLATE) as url:
        opened = Database.open(url)
        yield opened
        opened.dispose()


def has_to_wait(database: Database, first: Lock, second: Lock) -> bool:
    """Whether another transaction cannot take the second lock while one holds the first."""
    with database.transaction() as holder:
        first(holder)
        try:
            with database.transaction() as tx:
                tx.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
                second(tx)
        except OperationalError as problem:
            if "lock timeout" not in str(problem):
                raise
            return True
        return False


def test_a_run_is_changed_by_one_at_a_time(database: Database) -> None:
    assert has_to_wait(database, lambda tx: lock_runs(tx, ["r1", "r2"]), lambda tx: lock_runs(tx, ["r2"]))


def test_different_runs_are_changed_at_the_same_time(database: Database) -> None:
    assert not has_to_wait(database, lambda tx: lock_runs(tx, ["r1"]), lambda tx: lock_runs(tx, ["r2"]))


def test_a_million_runs_can_be_locked_at_once(database: Database) -> None:
    with database.transaction() as tx:
        lock_runs(tx, [f"r{number}" for number in range(1_000_000)])


def test_submissions_keep_code_together_and_only_its_removal_waits(database: Database) -> None:
    assert not has_to_wait(database, keep_code, keep_code)
    assert has_to_wait(database, keep_code, lock_code)
    assert has_to_wait(database, lock_code, keep_code)


def test_nobody_writes_the_queue_while_it_is_rebuilt(database: Database) -> None:
    def write(tx: Connection) -> None:
        tx.execute(update(queue).values(priority=1))

    assert has_to_wait(database, lock_queue, write)


def test_of_two_who_insert_a_row_one_is_told_that_it_did(database: Database) -> None:
    rows = [a_worker(number) for number in range(5)]
    inserted: list[set[str]] = []
    begun = threading.Barrier(2)

    def insert_all() -> None:
        with database.transaction() as tx:
            begun.wait(60)
            inserted.append(insert_missing(tx, workers, rows, key="worker_id"))

    threads = [threading.Thread(target=insert_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(map(len, inserted)) == [0, 5]


def test_who_was_ended_for_the_sake_of_another_begins_again(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(insert(workers), [a_worker(1), a_worker(2)])
    tries: list[int] = []
    holds_second = threading.Event()

    @again_after_deadlock
    def second_then_first() -> None:
        tries.append(1)
        with database.transaction() as tx:
            touch(tx, 2)
            holds_second.set()
            touch(tx, 1)

    with database.transaction() as tx:
        tx.exec_driver_sql("SET LOCAL deadlock_timeout = '60s'")  # so that the other one finds it
        touch(tx, 1)
        thread = threading.Thread(target=second_then_first)
        thread.start()
        assert holds_second.wait(60)
        touch(tx, 2)
    thread.join(30)

    assert len(tries) == 2


def touch(tx: Connection, number: int) -> None:
    tx.execute(update(workers).where(workers.c.worker_id == str(number)).values(pid=workers.c.pid + 1))
