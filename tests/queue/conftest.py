from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.database import Database
from runyard.queue import Queue


@pytest.fixture
def database(tmp_path: Path, database_url: str | None) -> Iterator[Database]:
    """An empty database."""
    opened = Database.open(database_url or tmp_path / "runyard.db")
    yield opened
    opened.dispose()


@pytest.fixture
def queue(database: Database) -> Queue:
    """An empty queue."""
    return Queue(database)
