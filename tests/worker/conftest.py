from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nvml.machine import FakeMachine, fake_machine
from tests.worker.yard import Yard


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two CPU slots and locks of this test's own."""
    monkeypatch.setenv("RUNYARD_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setenv("RUNYARD_CPU_SLOTS", "2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """Four GPUs."""
    (tmp_path / "nvml").mkdir()
    return fake_machine(tmp_path / "nvml", monkeypatch, gpus=4)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path / "yard")
    yield made
    made.close()


@pytest.fixture
def other_yard(tmp_path: Path) -> Iterator[Yard]:
    """The home of another user of the same machine."""
    made = Yard(tmp_path / "other")
    yield made
    made.close()
