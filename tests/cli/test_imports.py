"""What the commands that people type all day may load."""

import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {
    "numpy",
    "pcodec",
    "ruamel.yaml",
    "copier",
    "psutil",
    "rich",
    "runyard.client.runs",
    "runyard.config.model",
    "runyard.supervisor",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
}


def test_asking_for_runs_loads_neither_arrays_nor_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    program = (
        "import sys; from runyard.cli.main import run; run(['runs', '--json']); print(*sys.modules, file=sys.stderr)"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert not SLOW & set(ran.stderr.split())
