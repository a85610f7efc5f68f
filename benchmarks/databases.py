"""Empty databases to measure with: an SQLite file, or one on the PostgreSQL server of a URL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import make_url

from runyard.database import Database

_numbers = count()


@contextmanager
def empty(server: str | None, folder: Path) -> Iterator[str]:
    """A path below the folder; with the URL of any database of a server, the URL of a new one beside it."""
    name = f"runyard_bench_{os.getpid()}_{next(_numbers)}"
    if server is None:
        yield str(folder / f"{name}.db")
        return
    _execute(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def size_bytes(database: Database) -> int:
    """What the database takes on its disk."""
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("CHECKPOINT")
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return os.stat(str(database.engine.url.database)).st_size


def titled(server: str | None) -> str:
    """Which database the next lines are about."""
    return "---- SQLite ----" if server is None else "---- PostgreSQL ----"


def _execute(server: str, statement: str) -> None:
    import psycopg  # an optional package

    url = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
