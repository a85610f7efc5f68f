"""PostgreSQL: reading its URL, connecting, and what to tell when that does not work.

psycopg 3 is an optional package and loaded here alone. A lost connection is noticed when it is taken from the pool, so
that a restart of the server costs one failed transaction at most.
"""

import re
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from runyard.errors import DatabaseUnavailable, MissingExtra, UsageError

LOCK_TIMEOUT_S = 30
READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}  # all statements see one state

# the last statement of a write transaction: whoever waits for the row waits for a commit and nothing else
COUNT_CHANGE = (
    "INSERT INTO changes SELECT mod(pg_backend_pid(), 64), 1 WHERE pg_current_xact_id_if_assigned() IS NOT NULL "
    "ON CONFLICT (slot) DO UPDATE SET number = changes.number + 1"
)
CHANGES = "SELECT coalesce(sum(number), 0) FROM changes"

# of a transaction that must survive a power cut; until its end
DURABLE = "SET LOCAL synchronous_commit = on"

_SCHEMES = ("postgresql://", "postgresql+psycopg://", "postgres://")
_OLDEST = (13,)
_CONNECT_S = 10
_POOL_SIZE = 2  # as for SQLite; a server's threads overflow it for a moment, with two connections each
_PASSWORD_OPTION = re.compile(r"(?<=password=)[^&#]*", re.IGNORECASE)
_SETTINGS = (
    # as SQLite in the home: a power cut may undo the last transactions, never damage anything
    "SET synchronous_commit = off",
    f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'",
    # whoever is cut off must not hold locks for hours
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
    "SET client_min_messages = warning",
    # our questions take milliseconds, compiling one takes a hundred of them
    "SET jit = off",
)


def masked(place: str) -> str:
    """The URL without its password, to be shown."""
    head, separator, rest = place.partition("://")
    authority, at, tail = rest.rpartition("@")
    hidden = _PASSWORD_OPTION.sub("***", tail)
    if not at:
        return head + separator + hidden
    user, colon, _ = authority.partition(":")
    return f"{head}{separator}{user}{colon}{'***' if colon else ''}@{hidden}"


def connect(place: str) -> Engine:
    """An engine that has connected once.

    Raises:
        UsageError: the URL cannot be read, names what is not there, or the server does not let its user in.
        MissingExtra: psycopg is not installed.
        DatabaseUnavailable: nobody answers there.
    """
    engine = _engine(place)
    event.listen(engine, "connect", _prepare)
    try:
        with engine.connect() as connection:
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    except DBAPIError as problem:
        engine.dispose()
        raise _told(place, str(problem.orig)) from None
    found = engine.dialect.server_version_info or _OLDEST
    if found < _OLDEST or encoding != "UTF8":
        engine.dispose()
        shown = ".".join(str(part) for part in found)
        raise UsageError(
            f"The database {masked(place)} is PostgreSQL {shown} with {encoding}; "
            f"PostgreSQL {_OLDEST[0]} or newer with UTF8 is needed. Create one with: createdb -E UTF8 -T template0 NAME"
        )
    return engine


def described(place: str) -> str:
    """Version and size of the database, for people.

    Raises:
        UsageError, MissingExtra, DatabaseUnavailable: as `connect`.
    """
    engine = connect(place)
    try:
        with engine.connect() as connection:
            version, size = connection.exec_driver_sql(
                "SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))"
            ).one()
    finally:
        engine.dispose()
    return f"PostgreSQL {version.split()[0]}, {size}: {masked(place)}"


def _engine(place: str) -> Engine:
    try:
        return create_engine(
            _url(place),
            isolation_level="READ COMMITTED",
            pool_size=_POOL_SIZE,
            max_overflow=38,
            pool_pre_ping=True,
            connect_args={"application_name": "runyard"},
        )
    except ImportError:
        raise MissingExtra(extra="postgresql", purpose=f"The database {masked(place)}") from None


def _url(place: str) -> URL:
    example = "It looks like postgresql://user:password@host:5432/name."
    if not place.startswith(_SCHEMES):
        raise UsageError(f"'{masked(place)}' is no database that Runyard knows. {example}")
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        raise UsageError(f"'{masked(place)}' is no URL of a database. {example}") from None
    if not url.database:
        raise UsageError(f"The URL {masked(place)} names no database. {example}")
    query: dict[str, Any] = {"connect_timeout": str(_CONNECT_S)} | dict(url.query)
    return url.set(drivername="postgresql+psycopg", query=query)


def _prepare(connection: Any, _record: object) -> None:
    was_autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("; ".join(_SETTINGS))
    connection.autocommit = was_autocommit


def _told(place: str, text: str) -> UsageError | DatabaseUnavailable:
    """The last line of what libpq says is the server's own word, or why there was none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = next((line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line), "")
    if fatal and "starting up" not in fatal and "shutting down" not in fatal and "too many" not in fatal:
        what = f"The database {masked(place)} does not let us in: {fatal.rstrip('.')}."
        return UsageError(f"{what} Check user, password and name in the URL, and that the database was created.")
    why = (fatal or (lines[0].rpartition("failed: ")[2] if lines else "no reason known")).rstrip(".")
    return DatabaseUnavailable(
        f"The database {masked(place)} does not answer: {why}. Check host and port, and that PostgreSQL runs there; "
        "nothing is lost meanwhile."
    )
