import os
import subprocess
import sys

from runyard.devices import driver_version, gpu_processes, gpu_sample, gpus
from runyard.devices.nvml import gpu_use
from tests.nvml.machine import GPU_MIB, FakeMachine


def test_all_gpus_are_found_with_uuid_name_and_memory(machine: FakeMachine) -> None:
    found = gpus()

    assert [gpu.index for gpu in found] == [0, 1, 2, 3]
    assert found[2].uuid == machine.uuid(2)
    assert found[2].name == "Fake RTX 2"
    assert found[2].memory_bytes == GPU_MIB << 20
    assert all(gpu.problem == "" for gpu in found)
    assert driver_version() == "580.00.00"


def test_a_machine_without_driver_has_no_gpus(machine: FakeMachine) -> None:
    machine.state.unlink()

    assert gpus() == []
    assert gpu_sample(machine.uuid(0)) is None
    assert driver_version() == ""


def test_a_machine_without_the_library_has_no_gpus() -> None:
    program = "from runyard.devices import gpus, gpu_sample; assert gpus() == []; assert gpu_sample('GPU-0') is None"
    env = {**os.environ, "LD_LIBRARY_PATH": ""}

    subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=60)


def test_a_lost_gpu_is_reported_with_a_sentence_and_the_others_stay(machine: FakeMachine) -> None:
    machine.also("lost 1 15")

    found = gpus()

    assert [bool(gpu.problem) for gpu in found] == [False, True, False, False]
    assert found[1].problem.startswith("GPU 1 has fallen off the bus")
    assert gpu_sample(machine.uuid(1)) is None
    assert "fallen off the bus" in gpu_use(machine.uuid(1)).problem


def test_a_sample_tells_load_memory_temperature_and_power(machine: FakeMachine) -> None:
    machine.has(f"gpu 0 {GPU_MIB} 1024 80 Fake RTX")

    sample = gpu_sample(machine.uuid(0))

    assert sample is not None
    assert sample.utilization_percent == 80
    assert sample.memory_used_bytes == 1 << 30
    assert sample.memory_total_bytes == GPU_MIB << 20
    assert sample.temperature_c == 60
    assert sample.power_w == 210


def test_an_old_driver_is_asked_in_its_own_words(machine: FakeMachine) -> None:
    machine.has(f"gpu 0 {GPU_MIB} 1024 80 Fake RTX", "compute 0 1 500", "old")

    sample = gpu_sample(machine.uuid(0))

    assert sample is not None
    assert sample.memory_used_bytes == 1 << 30
    assert sample.power_w is None
    assert [process.pid for process in gpu_processes(machine.uuid(0))] == [1]


def test_processes_are_listed_with_user_and_name(machine: FakeMachine) -> None:
    machine.also(f"compute 0 {os.getpid()} 700", "compute 0 999999999 10", f"graphics 1 {os.getpid()} 90")

    mine, unknown = gpu_processes(machine.uuid(0))
    (drawing,) = gpu_processes(machine.uuid(1))

    assert (mine.pid, mine.memory_bytes, mine.draws) == (os.getpid(), 700 << 20, False)
    assert mine.user
    assert mine.name
    assert (unknown.user, unknown.name) == ("", "")
    assert drawing.draws
