"""Insert rows or update those that exist: the one statement that the dialects write in their own way."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows; where the primary key exists, set the other columns. All rows name the same columns."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    others = [name for name in rows[0] if name not in keys]
    if tx.dialect.name == "postgresql":
        ours = postgresql.insert(table)
        changed = ours.on_conflict_do_update(index_elements=keys, set_={name: ours.excluded[name] for name in others})
        tx.execute(changed if others else ours.on_conflict_do_nothing(), rows)
        return
    lite = sqlite.insert(table)
    updated = lite.on_conflict_do_update(index_elements=keys, set_={name: lite.excluded[name] for name in others})
    tx.execute(updated if others else lite.on_conflict_do_nothing(), rows)
