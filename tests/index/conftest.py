from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.index.builders import Yard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path / "home")
    yield yard
    yard.database.dispose()
