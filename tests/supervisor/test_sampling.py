"""Samples of host and GPUs."""

import math
import os
from pathlib import Path

import psutil
import pytest

from runyard.journal import JournalWriter
from runyard.journal.reader import Rows, read_journal
from runyard.supervisor.sampling import Sampler, gpu_uuids
from tests.nvml.machine import FakeMachine, fake_machine


def sampled(
    folder: Path, *, gpus: tuple[str, ...] = (), members: list[int] | None = None, cpu_s: float = 0.0
) -> dict[str, float]:
    """One sample, as the journal has it."""
    journal = JournalWriter(folder / "host.journal", run="r", attempt=1, stream="host")
    pids = [os.getpid()] if members is None else members
    before = dict.fromkeys(pids, cpu_s)
    Sampler(journal, members=lambda: pids, disk=folder, gpus=gpus, since=0.0, cpu_s=before).sample()
    journal.close()
    items, _ = read_journal(folder / "host.journal")
    (rows,) = [item for item in items if isinstance(item, Rows)]
    return dict(zip(rows.keys, rows.values[0].tolist(), strict=True))


def test_the_processes_of_the_run_are_summed_up(tmp_path: Path) -> None:
    found = sampled(tmp_path)

    assert found["sys/processes"] == 1
    assert found["sys/process_memory_bytes"] > 1 << 20


def test_what_a_process_computed_before_the_run_began_is_not_the_runs(tmp_path: Path) -> None:
    (tmp_path / "cold").mkdir()
    (tmp_path / "warm").mkdir()
    used = psutil.Process().cpu_times()

    cold = sampled(tmp_path / "cold")["sys/process_cpu_percent"]
    warm = sampled(tmp_path / "warm", cpu_s=used.user + used.system)["sys/process_cpu_percent"]

    assert warm < cold / 10


def test_processes_that_are_gone_do_no_harm(tmp_path: Path) -> None:
    assert sampled(tmp_path, members=[2**22 - 1])["sys/processes"] == 0


def test_gpus_are_numbered_within_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = fake_machine(tmp_path, monkeypatch, gpus=2)

    found = sampled(tmp_path, gpus=(FakeMachine.uuid(1), "GPU-unknown"))

    assert machine.uuid(1) in gpu_uuids([machine.uuid(1), "cpu-0"])
    assert found["sys/gpu0/memory_used_bytes"] >= 0
    assert math.isnan(found["sys/gpu1/memory_used_bytes"])


def test_cpu_slots_are_no_gpus() -> None:
    assert gpu_uuids(["cpu-0", "GPU-1", "MIG-2"]) == ("GPU-1", "MIG-2")
