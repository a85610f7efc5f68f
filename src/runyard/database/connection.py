"""Connections to the one database of a home or a server, safe with many processes.

The home's database is SQLite in WAL mode: readers never wait, and one writer at a time holds the
file for some milliseconds. Write transactions begin with BEGIN IMMEDIATE, because a transaction
that reads first and writes later could fail half-way with a lock that no waiting resolves.

Tables are created when a database is opened. They carry two versions (index and queue). Since all
of it can be rebuilt from the run folders, tables of an older version are dropped and created anew,
and `needs_reindex` says that they wait to be filled; tables of a newer version are refused.
"""

import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, func, inspect, select

from runyard.database.schema import INDEX_TABLES, INDEX_VERSION, QUEUE_TABLES, QUEUE_VERSION, meta
from runyard.database.upsert import upsert
from runyard.errors import FormatUnknown

BUSY_TIMEOUT_S = 30.0  # a bulk apply of another process holds the database for a second at most
_POOL_SIZE = 2  # a process has one thread that writes, perhaps one that reads
_RECYCLE_S = 300  # a connection sees what `analyze` found in another one only when it is opened anew
_NEEDS_REINDEX = "needs_reindex"


class Database:
    """An open database.

    Threads may share it. A process made by `os.fork` must not use its parent's: it calls `dispose`
    and opens its own. One that nobody holds any more is closed, as happens in notebooks.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._pid = os.getpid()
        weakref.finalize(self, _close, engine, self._pid).atexit = False  # then the process is gone anyway

    @classmethod
    def open(cls, place: "str | Path") -> "Database":
        """Open the database file, or the database of an SQLAlchemy URL, and create what is missing.

        Raises:
            FormatUnknown: a newer Runyard created its tables.
        """
        text = str(place)
        engine = create_engine(text) if "://" in text else _sqlite(Path(text))
        database = cls(engine)
        if engine.dialect.name == "sqlite":
            _patiently(lambda: _switch_to_wal(engine))
        with database.transaction() as tx:
            _create_tables(tx)
        return database

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back when it raises."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(runyard_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: all statements in the block see the same state."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @property
    def needs_reindex(self) -> bool:
        """Whether the tables are new, so that runs in the folders may be missing from them."""
        with self.read() as tx:
            return tx.scalar(select(meta.c.value).where(meta.c.key == _NEEDS_REINDEX)) is not None

    def mark_reindexed(self) -> None:
        """Say that the tables hold all that the folders hold."""
        with self.transaction() as tx:
            tx.execute(delete(meta).where(meta.c.key == _NEEDS_REINDEX))

    def keep(self, name: str, version: int, tables: Sequence[Table]) -> None:
        """Create tables that are kept for good, where they are missing.

        Args:
            name: of their version in `meta`.

        Raises:
            FormatUnknown: another version of Runyard created them.
        """
        with self.transaction() as tx:
            if tx.dialect.name == "postgresql":  # two servers may start at once
                tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))
            found = tx.scalar(select(meta.c.value).where(meta.c.key == name))
            if found is None:
                for table in tables:
                    table.create(tx, checkfirst=True)
                upsert(tx, meta, [{"key": name, "value": str(version)}])
            elif found != str(version):
                raise FormatUnknown(
                    f"{tx.engine.url.database} has {name} {found}; this Runyard knows {version}. "
                    "Install the version that wrote it."
                )

    def dispose(self) -> None:
        """Close all connections; in a forked child, forget the parent's without touching them."""
        _close(self.engine, self._pid)
        self._pid = os.getpid()


def analyze(tx: Connection) -> None:
    """Let the planner look at a few hundred entries of each index: without, it takes every filter for a narrow one.

    Takes some milliseconds; worth it after a large change.
    """
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("PRAGMA analysis_limit = 400")
    tx.exec_driver_sql("ANALYZE")


def _close(engine: Engine, pid: int) -> None:
    engine.dispose(close=os.getpid() == pid)


def _sqlite(path: Path) -> Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=_POOL_SIZE,
        max_overflow=30,
        pool_recycle=_RECYCLE_S,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # pysqlite must not begin transactions of its own; `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = NORMAL")  # a power cut may undo the last transactions, never damage the file
    cursor.execute("PRAGMA cache_size = -16384")
    cursor.execute("PRAGMA mmap_size = 268435456")  # large reads of series skip one copy
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("runyard_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _switch_to_wal(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    finally:
        raw.close()


def _patiently(action: Callable[[], None]) -> None:
    """Call `action` until the file is not locked; SQLite's own timeout does not cover the change of journal mode."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            action()
            return
        except sqlite3.OperationalError as problem:
            if "locked" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _create_tables(tx: Connection) -> None:
    meta.create(tx, checkfirst=True)
    is_new = _bring_to_version(tx, "index_version", INDEX_VERSION, INDEX_TABLES)
    is_new |= _bring_to_version(tx, "queue_version", QUEUE_VERSION, QUEUE_TABLES)
    if is_new:
        upsert(tx, meta, [{"key": _NEEDS_REINDEX, "value": "1"}])


def _bring_to_version(tx: Connection, name: str, version: int, tables: list[Table]) -> bool:
    """Create the tables of one version; whether they are new."""
    found = tx.scalar(select(meta.c.value).where(meta.c.key == name))
    if found == str(version):
        return False
    if found is not None and int(found) > version:
        raise FormatUnknown(
            f"{tx.engine.url.database} has {name} {found}; this Runyard knows {version}. "
            "Install the version that wrote it, or move the file away and run `runyard reindex`."
        )
    existing = set(inspect(tx).get_table_names())
    for table in reversed(tables):
        if table.name in existing:
            table.drop(tx)
    for table in tables:
        table.create(tx)
    upsert(tx, meta, [{"key": name, "value": str(version)}])
    return True
