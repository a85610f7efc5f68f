import os
import subprocess

import pytest

from runyard.devices import (
    Busy,
    Holder,
    Slot,
    Taken,
    acquire_any,
    busy_reason,
    candidates,
    discover,
    env_for,
    lock_directory,
    take,
)
from runyard.errors import DeviceUnavailable, UsageError
from tests.nvml.machine import GPU_MIB, FakeMachine


def me(what: str = "") -> Holder:
    return Holder(pid=os.getpid(), user="me", what=what)


def never() -> None:
    raise AssertionError("there was nothing to wait for")


def labels(slots: list[Slot]) -> list[str]:
    return [slot.label for slot in slots]


def test_gpus_come_first_then_cpu_slots(machine: FakeMachine) -> None:
    assert labels(discover()) == ["GPU 0", "GPU 1", "GPU 2", "GPU 3", "CPU 0", "CPU 1"]


def test_a_machine_without_gpus_has_cpu_slots(machine: FakeMachine) -> None:
    machine.state.unlink()

    assert [slot.name for slot in discover()] == ["cpu-0", "cpu-1"]


def test_gpus_can_be_chosen_by_index(machine: FakeMachine) -> None:
    assert labels(discover([3, 1, 3])) == ["GPU 3", "GPU 1"]


def test_a_gpu_that_does_not_exist_is_refused_with_those_that_do(machine: FakeMachine) -> None:
    with pytest.raises(DeviceUnavailable, match=r"GPU 7 was asked for, but this machine has GPU 0, 1, 2, 3\."):
        discover([7])
    machine.state.unlink()
    with pytest.raises(DeviceUnavailable, match="no GPU"):
        discover([0])


def test_cpu_slots_can_be_chosen_on_a_machine_with_gpus(machine: FakeMachine) -> None:
    assert labels(discover(cpu=True)) == ["CPU 0", "CPU 1"]


@pytest.mark.parametrize(
    ("variable", "seen"),
    [("2,0", ["GPU 2", "GPU 0"]), ("", []), ("-1", []), ("1,9,0", ["GPU 1"]), (FakeMachine.uuid(3), ["GPU 3"])],
)
def test_cuda_visible_devices_limits_what_is_found(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, variable: str, seen: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)

    assert labels(discover()) == [*seen, "CPU 0", "CPU 1"]


def test_a_bad_number_of_cpu_slots_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_CPU_SLOTS", "many")

    with pytest.raises(UsageError, match="'many'"):
        discover(cpu=True)


def test_a_run_gets_a_gpu_where_there_is_one_and_else_a_cpu_slot(machine: FakeMachine) -> None:
    both, only_cpu = discover(), discover(cpu=True)

    assert candidates(both, None) == (both[:4], 1)
    assert candidates(only_cpu, None) == (only_cpu, 1)
    assert candidates(both, 0) == (both[4:], 1)
    assert candidates(both, 2) == (both[:4], 2)


def test_the_child_sees_only_its_gpus_by_uuid(machine: FakeMachine) -> None:
    slots = discover()

    assert env_for(slots[1:2], 2) == {"CUDA_VISIBLE_DEVICES": machine.uuid(1)}
    assert env_for(slots[:2], 2) == {"CUDA_VISIBLE_DEVICES": f"{machine.uuid(0)},{machine.uuid(1)}"}


def test_the_cores_are_shared_among_the_cpu_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(12)), raising=False)
    slots = discover(cpu=True)

    env = env_for(slots[:1], 4)

    assert env["CUDA_VISIBLE_DEVICES"] == ""
    assert env["OMP_NUM_THREADS"] == env["MKL_NUM_THREADS"] == env["OPENBLAS_NUM_THREADS"] == "3"
    assert env_for(slots[:1], 100)["OMP_NUM_THREADS"] == "1"


def test_a_taken_slot_is_busy_for_the_next_one_and_says_for_whom(machine: FakeMachine) -> None:
    slot = discover()[0]
    taken = take(slot, Holder(pid=os.getpid(), user="anna", what="lr=0.1"))
    assert isinstance(taken, Taken)

    busy = take(slot, me())

    assert isinstance(busy, Busy)
    assert busy.reason == f"GPU 0 is taken by anna (lr=0.1, process {os.getpid()})."
    assert busy_reason(slot) == busy.reason
    taken.lock.release()
    assert busy_reason(slot) == ""


def test_a_gpu_that_somebody_uses_outside_is_left_alone_and_its_user_named(machine: FakeMachine) -> None:
    slot = discover()[0]
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        machine.also(f"compute 0 {os.getppid()} 4300")

        busy = take(slot, me())

        assert isinstance(busy, Busy)
        assert busy.reason.startswith("GPU 0 is used outside Runyard by ")
        assert f" {os.getppid()}, 4.2 GiB)." in busy.reason
        assert not slot.problem
        assert isinstance(take(discover()[1], me()), Taken)
        assert stranger.stdin is not None
        stranger.stdin.close()
    machine.has_gpus(4)
    assert isinstance(take(slot, me()), Taken), "the lock must have been given back"


def test_our_own_processes_are_no_strangers(machine: FakeMachine) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        machine.also(f"compute 0 {os.getpid()} 4000", f"compute 0 {child.pid} 4000")

        assert isinstance(take(discover()[0], me()), Taken)

        assert child.stdin is not None
        child.stdin.close()


def test_a_desktop_on_the_gpu_does_not_keep_its_owner_from_training(machine: FakeMachine) -> None:
    machine.has(f"gpu 0 {GPU_MIB} 900 3 Fake RTX", f"graphics 0 {os.getppid()} 900", f"compute 0 {os.getppid()} 900")

    assert isinstance(take(discover()[0], me()), Taken)


def test_memory_in_use_by_a_process_that_cannot_be_seen_makes_a_gpu_busy(machine: FakeMachine) -> None:
    machine.has(f"gpu 0 {GPU_MIB} 150 0 Fake RTX", f"gpu 1 {GPU_MIB} 2048 0 Fake RTX")
    quiet, used = discover()[:2]

    busy = take(used, me())

    assert isinstance(take(quiet, me()), Taken)
    assert isinstance(busy, Busy)
    assert "2.0 GiB of its memory are taken by a process that cannot be seen" in busy.reason


def test_a_process_of_another_container_makes_a_gpu_busy(machine: FakeMachine) -> None:
    machine.also("compute 0 999999999 3000", "compute 1 999999999 0")

    busy = take(discover()[0], me())

    assert isinstance(busy, Busy)
    assert "a user who cannot be seen from here (process 999999999, 2.9 GiB)" in busy.reason
    assert isinstance(take(discover()[1], me()), Taken), "the driver lists a process that just ended, without memory"


def test_a_sick_gpu_is_never_taken(machine: FakeMachine) -> None:
    machine.also("lost 0 15")

    busy = take(discover()[0], me())

    assert isinstance(busy, Busy)
    assert "fallen off the bus" in busy.reason


def test_a_gpu_that_fell_ill_after_it_was_found_is_not_taken(machine: FakeMachine) -> None:
    slot = discover()[0]
    machine.also("lost 0 15")

    busy = take(slot, me())

    assert isinstance(busy, Busy)
    assert busy.reason.startswith("GPU 0 has fallen off the bus")


def test_waiting_for_a_slot_says_for_whom_and_ends_when_one_is_free(machine: FakeMachine) -> None:
    slots = discover([0, 1])
    held = [take(slot, Holder(pid=os.getpid(), user="anna")) for slot in slots]
    told: list[list[str]] = []
    looks = 0

    def wait() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            last = held[1]
            assert isinstance(last, Taken)
            last.lock.release()

    (taken,) = acquire_any(slots, me(), wait=wait, on_wait=told.append)

    assert taken.slot == slots[1]
    assert looks == 3
    assert len(told) == 1, "the same news is not told twice"
    assert told[0][0].startswith("GPU 0 is taken by anna")


def test_a_slot_whose_lock_is_broken_is_left_out_with_a_sentence(machine: FakeMachine) -> None:
    slots = discover([0, 1])
    os.mkfifo(lock_directory() / f"{slots[0].name}.lock")

    (taken,) = acquire_any(slots, me(), wait=never)

    assert taken.slot == slots[1]
    assert busy_reason(slots[0]).startswith("GPU 0 is left out. The device lock ")
    with pytest.raises(DeviceUnavailable, match=r"GPU 0 is left out\. .* no plain file"):
        acquire_any(slots[:1], me(), wait=never)
    taken.lock.release()


def test_a_closed_slot_is_left_alone_and_its_reason_is_told(machine: FakeMachine) -> None:
    slots = discover([0, 1])
    told: list[list[str]] = []

    (taken,) = acquire_any(slots, me(), wait=never, closed=lambda slot: "reserved" if slot == slots[0] else "")
    with pytest.raises(AssertionError):
        acquire_any(slots[:1], me(), wait=never, on_wait=told.append, closed=lambda slot: "reserved by anna")

    assert taken.slot == slots[1]
    assert told == [["reserved by anna"]]


def test_several_gpus_are_taken_together_or_not_at_all(machine: FakeMachine) -> None:
    slots = discover([0, 1])
    other = take(slots[1], Holder(pid=os.getpid(), user="anna"))
    assert isinstance(other, Taken)

    def wait() -> None:
        assert busy_reason(slots[0]) == "", "half a set must not be held while waiting"
        other.lock.release()

    taken = acquire_any(slots, me(), wait=wait, count=2)

    assert [held.slot for held in taken] == slots


def test_waiting_for_more_gpus_than_there_are_is_refused_at_once(machine: FakeMachine) -> None:
    machine.also("lost 1 15")

    with pytest.raises(DeviceUnavailable, match=r"2 slot\(s\) are needed and this machine has 1 .*fallen off"):
        acquire_any(discover([0, 1]), me(), wait=never, count=2)
