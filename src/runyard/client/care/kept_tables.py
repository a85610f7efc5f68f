"""What the database alone holds, as a document: accounts, tokens, private projects, the audit trail, paused projects.

It is the same for SQLite and PostgreSQL. Everything else in a database is made anew from the run folders.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, func, insert, inspect, select

from runyard.database import Database, upsert
from runyard.database.schema import (
    ACCOUNTS_TABLES,
    ACCOUNTS_VERSION,
    attempts,
    meta,
    paused_projects,
    runs,
    sessions,
    users,
)
from runyard.errors import FormatUnknown

_SHORT_LIVED = (sessions, attempts)  # who was logged in, and who failed to, means nothing after a restore
KEPT = [*(table for table in ACCOUNTS_TABLES if table not in _SHORT_LIVED), paused_projects]
_ACCOUNTS = "accounts_version"
_KEPT_META = (_ACCOUNTS, "server_address")
_ROWS_AT_ONCE = 1000


class Rows(msgspec.Struct, frozen=True):
    """The content of a table."""

    columns: list[str]
    rows: list[list[Any]]  # text, numbers, booleans and nothing


class KeptTables(msgspec.Struct, frozen=True):
    """The content of all of them; of `meta` the entries that belong to them."""

    meta: dict[str, str]
    tables: dict[str, Rows]

    @property
    def users(self) -> int:
        """How many accounts there are."""
        found = self.tables.get(users.name)
        return len(found.rows) if found else 0


def read(database: Database) -> KeptTables:
    """All of it as of one moment."""
    with database.read() as tx:
        existing = set(inspect(tx).get_table_names())
        tables = {
            str(table.name): Rows(
                [str(column.name) for column in table.columns],
                [list(row) for row in tx.execute(select(table).order_by(*table.primary_key))],
            )
            for table in KEPT
            if table.name in existing
        }
        entries = tx.execute(select(meta.c.key, meta.c.value).where(meta.c.key.in_(_KEPT_META)))
        return KeptTables(meta={row.key: row.value for row in entries}, tables=tables)


def check(kept: KeptTables) -> None:
    """Make sure that this Runyard can take it in.

    Raises:
        FormatUnknown: another version wrote it.
    """
    found = kept.meta.get(_ACCOUNTS)
    if found is not None and found != str(ACCOUNTS_VERSION):
        raise FormatUnknown(
            f"The backup has {_ACCOUNTS} {found}; this Runyard knows {ACCOUNTS_VERSION}. "
            "Restore it with the version that made it."
        )
    known = {table.name: {column.name for column in table.columns} for table in KEPT}
    for name, rows in kept.tables.items():
        if name not in known or not set(rows.columns) <= known[name]:
            raise FormatUnknown(
                f"The backup holds a table '{name[:40]}' that this Runyard does not know so. "
                "Restore it with the version that made it."
            )


def write(database: Database, kept: KeptTables) -> None:
    """Put it in the place of what is there, in one transaction."""
    with database.transaction() as tx:
        for table in KEPT:
            rows = kept.tables.get(table.name)
            if rows is not None:
                table.create(tx, checkfirst=True)
                tx.execute(delete(table))
                _insert(tx, table, rows)
        if _ACCOUNTS in kept.meta:
            for table in _SHORT_LIVED:
                table.create(tx, checkfirst=True)
        upsert(tx, meta, [{"key": key, "value": value} for key, value in kept.meta.items()])


def is_in_use(database: Database) -> bool:
    """Whether it holds runs or accounts already."""
    with database.read() as tx:
        existing = inspect(tx).get_table_names()
        tables = [table for table in (runs, users) if table.name in existing]
        return any(tx.scalar(select(func.count()).select_from(table)) for table in tables)


def _insert(tx: Connection, table: Table, rows: Rows) -> None:
    for start in range(0, len(rows.rows), _ROWS_AT_ONCE):
        batch = rows.rows[start : start + _ROWS_AT_ONCE]
        tx.execute(insert(table), [dict(zip(rows.columns, row, strict=True)) for row in batch])
    counted = table.autoincrement_column
    if tx.dialect.name == "postgresql" and counted is not None and rows.rows:  # it counts beside the table
        highest = select(func.max(counted)).scalar_subquery()
        sequence = func.pg_get_serial_sequence(table.name, counted.name)
        tx.execute(select(func.setval(sequence, highest)))
