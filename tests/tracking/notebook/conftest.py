"""Real kernels, as a notebook has them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tracking.notebook.kernels import Kernel


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs of kernels are kept that are started from now on."""
    for name in ("RUNYARD_RUN_DIR", "RUNYARD_URL", "RUNYARD_LIVE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    return tmp_path / "home"


@pytest.fixture
def kernel(home: Path, tmp_path: Path) -> Iterator[Kernel]:
    """A kernel that has imported runyard; its supervisors are real."""
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    pytest.importorskip("jupyter_client", reason="needs jupyter_client")
    with Kernel.start(tmp_path) as started:
        yield started
