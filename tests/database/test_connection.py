"""Many processes open, create and write one database."""

import gc
import multiprocessing
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from runyard.database import INDEX_VERSION, Database, lock_runs, upsert
from runyard.database.schema import meta, runs, workers
from runyard.errors import FormatUnknown

SPAWN = multiprocessing.get_context("spawn")


def a_worker(number: int, *, host: str = "one") -> dict[str, object]:
    return {"worker_id": str(number), "host": host, "user": "", "pid": 1, "home": "", "slots": "", "seen_at": 0.0}


def open_and_insert(path: str, number: int) -> None:
    database = Database.open(path)
    with database.transaction() as tx:
        tx.execute(insert(workers).values(a_worker(number)))


def count_up(path: str, times: int) -> None:
    database = Database.open(path)
    for _ in range(times):
        with database.transaction() as tx:
            lock_runs(tx, ["r1"])
            pid = tx.execute(select(workers.c.pid)).scalar_one()
            tx.execute(update(workers).values(pid=pid + 1))


def run_processes(target: object, arguments: list[tuple[object, ...]]) -> None:
    processes = [SPAWN.Process(target=target, args=args) for args in arguments]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_several_processes_create_one_database_at_the_same_time(place: str) -> None:
    run_processes(open_and_insert, [(place, number) for number in range(4)])

    with Database.open(place).read() as tx:
        assert tx.scalar(select(func.count()).select_from(workers)) == 4


def test_read_then_write_loses_no_update_of_another_process(place: str) -> None:
    database = Database.open(place)
    with database.transaction() as tx:
        tx.execute(insert(workers).values(a_worker(1)))

    run_processes(count_up, [(place, 100), (place, 100)])

    with database.read() as tx:
        assert tx.scalar(select(workers.c.pid)) == 201


def test_a_transaction_that_raises_leaves_nothing(place: str) -> None:
    database = Database.open(place)

    def insert_twice() -> None:
        with database.transaction() as tx:
            tx.execute(insert(workers).values(a_worker(1)))
            tx.execute(insert(workers).values(a_worker(1)))

    with pytest.raises(IntegrityError):
        insert_twice()

    with database.read() as tx:
        assert tx.execute(select(workers)).all() == []


def test_only_a_durable_transaction_waits_for_the_disk(place: str) -> None:
    database = Database.open(place)
    is_sqlite = database.engine.dialect.name == "sqlite"
    asked = "PRAGMA synchronous" if is_sqlite else "SHOW synchronous_commit"
    found = []

    for durable in (False, True, False):
        with database.transaction(durable=durable) as tx:
            found.append(str(tx.exec_driver_sql(asked).scalar_one()))
    with pytest.raises(IntegrityError), database.transaction(durable=True) as tx:
        tx.execute(insert(workers), [a_worker(1), a_worker(1)])
    with database.transaction() as tx:
        found.append(str(tx.exec_driver_sql(asked).scalar_one()))

    assert found == (["1", "2", "1", "1"] if is_sqlite else ["off", "on", "off", "off"])


def test_a_reader_sees_one_state_while_somebody_writes(place: str) -> None:
    database = Database.open(place)

    with database.read() as reader:
        before = reader.scalar(select(func.count()).select_from(workers))
        with database.transaction() as tx:
            tx.execute(insert(workers).values(a_worker(1)))
        after = reader.scalar(select(func.count()).select_from(workers))

    assert (before, after) == (0, 0)


def test_a_database_that_nobody_holds_any_more_is_closed(tmp_path: Path) -> None:
    """Python warns from 3.13 on, if a connection is forgotten."""
    database = Database.open(tmp_path / "runyard.db")

    del database
    gc.collect()

    assert not [file for file in psutil.Process().open_files() if file.path.startswith(str(tmp_path))]


def test_upsert_inserts_or_updates(place: str) -> None:
    database = Database.open(place)

    with database.transaction() as tx:
        upsert(tx, workers, [a_worker(1), a_worker(2)])
        upsert(tx, workers, [a_worker(2, host="two")])
        upsert(tx, workers, [])

    with database.read() as tx:
        assert tx.execute(select(workers.c.worker_id, workers.c.host)).all() == [("1", "one"), ("2", "two")]


def test_files_are_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    with Database.open(tmp_path / "runyard.db").read() as tx:
        assert tx.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert tx.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert tx.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_new_tables_wait_for_a_reindex(place: str) -> None:
    database = Database.open(place)
    assert database.needs_reindex

    database.mark_reindexed()

    assert not Database.open(place).needs_reindex


def test_tables_of_an_older_version_are_created_anew(place: str) -> None:
    database = Database.open(place)
    database.mark_reindexed()
    with database.transaction() as tx:
        tx.execute(update(meta).where(meta.c.key == "index_version").values(value="0"))
        tx.exec_driver_sql("ALTER TABLE runs ADD COLUMN old TEXT")
        tx.execute(insert(workers).values(a_worker(1)))
    database.dispose()

    database = Database.open(place)

    assert database.needs_reindex
    with database.read() as tx:
        assert tx.execute(select(runs)).all() == []
        assert "old" not in [column["name"] for column in inspect(tx).get_columns("runs")]
        assert len(tx.execute(select(workers)).all()) == 1  # the queue has a version of its own


def test_tables_of_a_newer_version_are_refused_with_both_versions(place: str) -> None:
    with Database.open(place).transaction() as tx:
        tx.execute(update(meta).where(meta.c.key == "index_version").values(value=str(INDEX_VERSION + 1)))

    with pytest.raises(FormatUnknown, match=rf"index_version {INDEX_VERSION + 1}; this Runyard knows {INDEX_VERSION}"):
        Database.open(place)
