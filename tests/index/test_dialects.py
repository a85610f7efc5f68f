"""The statements are written for two databases; what PostgreSQL would be sent is at least its SQL."""

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from runyard.database import metadata
from runyard.database.schema import runs
from runyard.index.query import compile_query
from tests.index.test_query import FOUND

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it


@pytest.mark.parametrize("query", [query for query, _ in FOUND])
def test_every_query_compiles_for_postgresql(query: str) -> None:
    text = str(select(runs.c.id).where(compile_query(query)).compile(dialect=POSTGRESQL))

    assert "instr" not in text
    assert text.startswith("SELECT runs.id")


def test_all_tables_can_be_described_to_postgresql() -> None:
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=POSTGRESQL))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=POSTGRESQL))
