"""The bench that tests of the supervisor work on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import small_disk  # noqa: F401  # a fixture
from tests.supervisor.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()
