from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.builders import Yard
from tests.disks import small_disk  # noqa: F401  # a fixture


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """An empty home, which is also the one that commands find."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("RUNYARD_HOME", str(home))
    monkeypatch.setenv("RUNYARD_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.chdir(home)
    yard = Yard(home)
    with closing(yard.client):
        yield yard
