"""Insert rows or update those that exist: the one statement that the dialects write in their own way."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.sql.dml import Insert


def upsert(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows; where the primary key exists, set the other columns. All rows name the same columns."""
    if rows:
        tx.execute(_statement(tx.dialect.name, table, tuple(rows[0])), rows)


@lru_cache(maxsize=256)  # building it costs more than executing it
def _statement(dialect: str, table: Table, columns: tuple[str, ...]) -> Insert:
    keys = [column.name for column in table.primary_key]
    others = [name for name in columns if name not in keys]
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # each late: a home on SQLite need not load the other

        ours = postgresql.insert(table)
        if not others:
            return ours.on_conflict_do_nothing()
        return ours.on_conflict_do_update(index_elements=keys, set_={name: ours.excluded[name] for name in others})
    from sqlalchemy.dialects import sqlite

    lite = sqlite.insert(table)
    if not others:
        return lite.on_conflict_do_nothing()
    return lite.on_conflict_do_update(index_elements=keys, set_={name: lite.excluded[name] for name in others})
