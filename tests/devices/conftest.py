from pathlib import Path

import pytest

from tests.nvml.machine import FakeMachine, fake_machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """This machine, with four GPUs, its own lock folder and two CPU slots."""
    monkeypatch.setenv("RUNYARD_CPU_SLOTS", "2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvml").mkdir()
    return fake_machine(tmp_path / "nvml", monkeypatch, gpus=4)


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock folder of this test."""
    folder = tmp_path / "locks"
    monkeypatch.setenv("RUNYARD_LOCK_DIR", str(folder))
    return folder
