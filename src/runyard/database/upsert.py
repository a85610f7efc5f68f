"""Insert rows that may exist: the statements that the dialects write in their own way."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.sql.dml import Insert, ReturningInsert

_AT_ONCE = 500  # databases limit how many values one statement may carry


def upsert(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows; where the primary key exists, set the other columns. All rows name the same columns."""
    if rows:
        tx.execute(_statement(tx.dialect.name, table, tuple(rows[0])), rows)


def insert_missing(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, key: str) -> set[str]:
    """Insert those rows whose primary key, the column `key`, does not exist; return the keys of those inserted.

    Of several who insert one row at a time, only one is told that it did.
    """
    ordered = sorted(rows, key=lambda row: str(row[key]))  # two who insert the same rows do not wait in a circle
    if not ordered:
        return set()
    if tx.dialect.name == "postgresql":
        return set(tx.scalars(_missing(table, tuple(ordered[0]), key), ordered))
    column = table.c[key]
    known: set[str] = set()
    for start in range(0, len(ordered), _AT_ONCE):
        ids = [row[key] for row in ordered[start : start + _AT_ONCE]]
        known |= set(tx.scalars(select(column).where(column.in_(ids))))
    new = [row for row in ordered if row[key] not in known]
    if new:
        tx.execute(_insert(table), new)
    return {row[key] for row in new}


@lru_cache(maxsize=256)
def _insert(table: Table) -> Insert:
    return insert(table)


@lru_cache(maxsize=256)
def _missing(table: Table, columns: tuple[str, ...], key: str) -> ReturningInsert[tuple[str]]:
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table).on_conflict_do_nothing().returning(table.c[key])


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
