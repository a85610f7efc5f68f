from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.builders import Yard


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """An empty home, which is also the one that `runyard.runs` finds."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("RUNYARD_HOME", str(home))
    yard = Yard(home)
    with closing(yard.client):
        yield yard
