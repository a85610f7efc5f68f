from pathlib import Path

import pytest

from tests.cli.builders import Yard


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """An empty home, which is also the one that commands find."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("RUNYARD_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(home)
    return Yard(home)
