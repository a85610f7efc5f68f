import subprocess
import sys
from pathlib import Path

from runyard.journal import Home
from runyard.journal.dashboards import announced, dashboard_address


def test_a_dashboard_is_found_as_long_as_it_runs(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    assert dashboard_address(home) is None

    with announced(home, "http://127.0.0.1:8765/"):
        assert dashboard_address(home) == "http://127.0.0.1:8765"

    assert dashboard_address(home) is None


def test_the_address_of_a_killed_dashboard_is_none(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    program = (
        "import os, sys; from pathlib import Path; from runyard.journal import Home;"
        "from runyard.journal.dashboards import announced;"
        "announced(Home(Path(sys.argv[1])), 'http://127.0.0.1:8765').__enter__(); os.kill(os.getpid(), 9)"
    )

    subprocess.run([sys.executable, "-c", program, str(home.path)], check=False)

    assert home.dashboard.read_text() == "http://127.0.0.1:8765"
    assert dashboard_address(home) is None


def test_the_first_of_two_dashboards_is_found(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")

    with announced(home, "http://127.0.0.1:1"):
        with announced(home, "http://127.0.0.1:2"):
            assert dashboard_address(home) == "http://127.0.0.1:1"
        assert dashboard_address(home) == "http://127.0.0.1:1"


def test_a_text_that_is_no_address_is_none(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")

    with announced(home, "javascript:alert(1)"):
        assert dashboard_address(home) is None
