from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.index.builders import Yard


@pytest.fixture
def yard(tmp_path: Path, database_url: str | None) -> Iterator[Yard]:
    yard = Yard(tmp_path / "home", database_url)
    yield yard
    yard.close()
