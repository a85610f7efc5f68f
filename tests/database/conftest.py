from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.database import Database


@pytest.fixture
def database(tmp_path: Path, database_url: str | None) -> Iterator[Database]:
    """An open database with empty tables."""
    opened = Database.open(database_url or tmp_path / "runyard.db")
    yield opened
    opened.dispose()
