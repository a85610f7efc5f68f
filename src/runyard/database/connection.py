"""Connections to the one database of a home or a server, safe with many processes.

The home's database is SQLite in WAL mode: readers never wait, and one writer at a time holds the
file for some milliseconds. Write transactions begin with BEGIN IMMEDIATE, because a transaction
that reads first and writes later could fail half-way with a lock that no waiting resolves.

A team's server may have PostgreSQL instead, where writers work side by side (`locks.py` has the rules).

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

from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, inspect, select

from runyard.database import postgresql
from runyard.database.locks import lock_tables
from runyard.database.schema import INDEX_TABLES, INDEX_VERSION, QUEUE_TABLES, QUEUE_VERSION, changes, meta
from runyard.database.upsert import insert_missing, upsert
from runyard.errors import FormatUnknown, UsageError

BUSY_TIMEOUT_S = 30.0  # a bulk apply of another process holds the database for a second at most
_POOL_SIZE = 2  # a process has one thread that writes, perhaps one that reads
_RECYCLE_S = 300  # a connection sees what `analyze` found in another one only when it is opened anew
_HURRIED = "PRAGMA synchronous = NORMAL"  # a power cut may undo the last transactions, never damage the file
_DURABLE = "PRAGMA synchronous = FULL"
_NEEDS_REINDEX = "needs_reindex"
_HOME = "home"


class Database:
    """An open database.

    Threads may share it. A process made by `os.fork` must not use its parent's: it calls `dispose`
    and opens its own. One that nobody holds any more is closed, as happens in notebooks.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self.engine = engine
        self.place = place  # for people: a path, or a URL without its password
        self._reading = engine.execution_options(**postgresql.READING) if _is_postgresql(engine) else engine
        self._pid = os.getpid()
        weakref.finalize(self, _close, engine, self._pid).atexit = False  # then the process is gone anyway

    @classmethod
    def open(cls, place: "str | Path") -> "Database":
        """Open an SQLite file, or the database of a `postgresql://` URL, and create what is missing.

        Raises:
            FormatUnknown: a newer Runyard created its tables.
            UsageError: the URL is wrong, or its user is not let in.
            MissingExtra: psycopg is needed and not installed.
            DatabaseUnavailable: nobody answers at the URL.
        """
        text = str(place)
        database = cls(_open_engine(text), postgresql.masked(text) if "://" in text else text)
        with database.transaction() as tx:
            lock_tables(tx)
            _create_tables(tx, database.place)
        return database

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back when it raises.

        Args:
            durable: what it changed survives a power cut after the block, which costs a sync of the disk. For what no
                folder could give back, such as a token that was revoked.
        """
        with self.engine.connect() as connection:
            connection = connection.execution_options(runyard_writes=True, runyard_durable=durable)
            try:
                with connection.begin():
                    yield connection
                    if _is_postgresql(self.engine):
                        connection.exec_driver_sql(postgresql.COUNT_CHANGE)
            finally:
                if durable and not connection.closed:
                    _hurry_again(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: all statements in the block see the same state."""
        with self._reading.connect() as connection, connection.begin():
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
            lock_tables(tx)
            found = tx.scalar(select(meta.c.value).where(meta.c.key == name))
            if found is None:
                for table in tables:
                    table.create(tx, checkfirst=True)
                upsert(tx, meta, [{"key": name, "value": str(version)}])
            elif found != str(version):
                raise FormatUnknown(
                    f"{self.place} has {name} {found}; this Runyard knows {version}. Install the version that wrote it."
                )

    def belong_to(self, home_id: str) -> None:
        """Let nobody else's home have this database: it would remove our runs from it, since it has no folders of them.

        Raises:
            UsageError: another home has it.
        """
        with self.transaction() as tx:
            insert_missing(tx, meta, [{"key": _HOME, "value": home_id}], key="key")
            if tx.scalar(select(meta.c.value).where(meta.c.key == _HOME)) != home_id:
                raise UsageError(
                    f"The database {self.place} belongs to another home. Create one for this home, and give its URL."
                )

    def dispose(self) -> None:
        """Close all connections; in a forked child, forget the parent's without touching them."""
        _close(self.engine, self._pid)
        self._pid = os.getpid()


def analyze(tx: Connection) -> None:
    """Let the planner look at a few hundred entries of each index: without, it takes every filter for a narrow one.

    Takes some milliseconds; worth it after a large change.
    """
    if _is_postgresql(tx.engine):  # what somebody else is just analyzing is passed over
        tx.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {', '.join(table.name for table in INDEX_TABLES)}")
        return
    tx.exec_driver_sql("PRAGMA analysis_limit = 400")
    tx.exec_driver_sql("ANALYZE")


def data_version(tx: Connection) -> str:
    """A text that is another one as soon as somebody has written through another connection."""
    if _is_postgresql(tx.engine):
        return str(tx.exec_driver_sql(postgresql.CHANGES).scalar_one())
    return str(tx.exec_driver_sql("PRAGMA data_version").scalar_one())


def _close(engine: Engine, pid: int) -> None:
    engine.dispose(close=os.getpid() == pid)


def _is_postgresql(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def _open_engine(place: str) -> Engine:
    if "://" in place:
        engine = postgresql.connect(place)
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    engine = _sqlite(Path(place))
    _patiently(lambda: _switch_to_wal(engine))
    return engine


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
    cursor.execute(_HURRIED)
    cursor.execute("PRAGMA cache_size = -16384")
    cursor.execute("PRAGMA mmap_size = 268435456")  # large reads of series skip one copy
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("runyard_durable", False):
        connection.exec_driver_sql(_DURABLE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("runyard_writes", False) else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("runyard_durable", False):
        connection.exec_driver_sql(postgresql.DURABLE)


def _hurry_again(connection: Connection) -> None:
    """After a durable transaction; SQLite takes the setting outside of transactions only, and keeps it."""
    if not _is_postgresql(connection.engine):
        connection.connection.cursor().execute(_HURRIED)  # not through SQLAlchemy, which would begin a transaction


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


def _create_tables(tx: Connection, place: str) -> None:
    meta.create(tx, checkfirst=True)
    if _is_postgresql(tx.engine):
        changes.create(tx, checkfirst=True)
    is_new = _bring_to_version(tx, "index_version", INDEX_VERSION, INDEX_TABLES, place=place)
    is_new |= _bring_to_version(tx, "queue_version", QUEUE_VERSION, QUEUE_TABLES, place=place)
    if is_new:
        upsert(tx, meta, [{"key": _NEEDS_REINDEX, "value": "1"}])


def _bring_to_version(tx: Connection, name: str, version: int, tables: list[Table], *, place: str) -> bool:
    """Create the tables of one version; whether they are new."""
    found = tx.scalar(select(meta.c.value).where(meta.c.key == name))
    if found == str(version):
        return False
    if found is not None and int(found) > version:
        raise FormatUnknown(
            f"{place} has {name} {found}; this Runyard knows {version}. "
            "Install the version that wrote it, or move the database away and run `runyard reindex`."
        )
    existing = set(inspect(tx).get_table_names())
    for table in reversed(tables):
        if table.name in existing:
            table.drop(tx)
    for table in tables:
        table.create(tx)
    upsert(tx, meta, [{"key": name, "value": str(version)}])
    return True
