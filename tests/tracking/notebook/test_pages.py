from pathlib import Path

import pytest

from runyard.journal import Home
from runyard.journal.dashboards import announced
from runyard.tracking.notebook import page_of


def test_the_page_of_a_run_is_on_the_dashboard_that_runs(tmp_path: Path) -> None:
    home = Home.open(tmp_path)

    with announced(home, "http://127.0.0.1:8765"):
        assert page_of("abc", home) == "http://127.0.0.1:8765/#/run/abc"

    assert page_of("abc", home) is None


def test_the_page_of_a_run_of_a_team_is_on_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path))

    assert page_of("abc", Home.of_server("https://runyard.example")) == "https://runyard.example/#/run/abc"
