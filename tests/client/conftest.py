from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.builders import Yard
from tests.postgresql import use_database


@pytest.fixture(autouse=True)
def home_database(tmp_path: Path, database_url: str | None) -> None:
    """The home at tmp_path / "home" has its file, or a PostgreSQL database; other homes have their files."""
    if database_url:
        use_database(tmp_path / "home", database_url)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """An empty home, which is also the one that `runyard.runs` finds."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("RUNYARD_HOME", str(home))
    yard = Yard(home)
    with closing(yard.client):
        yield yard
