import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from runyard.client.runs import TrackedRun
from runyard.devices import Slot, SlotLock, discover, lock_directory
from runyard.errors import DeviceUnavailable, ServiceError, UsageError
from runyard.executors import Exit, Handle, LocalExecutor
from runyard.hosts import host_name
from runyard.queue import HEARTBEAT_S
from runyard.records import Resources, RunState
from runyard.worker import Snapshot, Worker, local_worker
from runyard.worker.worker import RECONSIDER_S
from tests.nvml.machine import FakeMachine
from tests.worker.yard import InThread, Yard, a_client


class Holding:
    """An executor whose supervisors hold what they were given, and never end."""

    def __init__(self) -> None:
        self.held: dict[str, list[int]] = {}

    def start(self, order: bytes, *, fds: Sequence[int] = (), place: str = "") -> Handle:
        run_id = str(json.loads(order)["run_id"])
        self.held[run_id] = [os.dup(fd) for fd in fds]
        return Handle(id=run_id)

    def let_go(self, run_id: str) -> None:
        """As a supervisor does when nothing of its run is left."""
        for fd in self.held[run_id]:
            os.close(fd)

    def poll(self, handle: Handle) -> Exit | None:
        return None

    def stop(self, handle: Handle, *, grace_s: float) -> None:
        raise NotImplementedError

    def prepare(self, warm_ups: Mapping[str, bytes]) -> dict[str, Exit]:
        return {}

    def close(self) -> None:
        pass


def a_worker(yard: Yard, slots: Sequence[Slot] | None = None, **options: Any) -> Worker:  # options: those of Worker
    return local_worker(a_client(yard), discover() if slots is None else slots, **options)


def overlaps(trace: Path) -> set[str]:
    """Devices on which a run began before the one before had ended."""
    used: set[str] = set()
    found: set[str] = set()
    for line in trace.read_text().splitlines():
        sign, devices = line.split()
        for device in devices.split(","):
            if sign == "-":
                used.discard(device)
            elif device in used:
                found.add(device)
            else:
                used.add(device)
    return found


def devices(trace: Path) -> set[str]:
    return {line.split()[1] for line in trace.read_text().splitlines()}


def test_a_worker_runs_all_that_waits_and_leaves(yard: Yard, tmp_path: Path) -> None:
    runs = yard.submit(5, config={"trace": str(tmp_path / "trace")})

    a_worker(yard).run(drain=True)

    assert yard.states(runs) == ["COMPLETED"] * 5
    assert overlaps(tmp_path / "trace") == set()
    assert devices(tmp_path / "trace") == {"cpu-0", "cpu-1"}
    assert yard.client.queue.rows() == []
    assert yard.client.queue.workers() == []
    assert SlotLock("cpu-0").try_acquire()


def test_a_failed_run_does_not_keep_the_next_one_from_running(yard: Yard) -> None:
    bad, good = *yard.submit(config={"fails": True}), *yard.submit()

    a_worker(yard).run(drain=True)

    assert yard.states([bad, good]) == ["FAILED", "COMPLETED"]


def test_every_run_gets_a_gpu_of_its_own(yard: Yard, machine: FakeMachine) -> None:
    began, go = yard.pipe(), yard.pipe()
    runs = yard.submit(4, config={"began": began.path, "go": go.path})

    with InThread(a_worker(yard)):
        seen = {began.read().split()[0] for _ in runs}
        holders = [SlotLock(machine.uuid(index)).holder() for index in range(4)]
        go.tell(4)

    assert seen == {machine.uuid(index) for index in range(4)}
    assert {holder.run_id for holder in holders if holder} == set(runs)
    assert yard.states(runs) == ["COMPLETED"] * 4


def test_two_workers_of_different_homes_never_share_a_gpu(
    yard: Yard, other_yard: Yard, machine: FakeMachine, tmp_path: Path
) -> None:
    config = {"trace": str(tmp_path / "trace")}
    runs, others = yard.submit(6, config=config), other_yard.submit(6, config=config)

    workers = [yard.start_worker("--drain"), other_yard.start_worker("--drain")]
    for worker in workers:
        worker.communicate(timeout=90)

    assert yard.states(runs) + other_yard.states(others) == ["COMPLETED"] * 12
    assert overlaps(tmp_path / "trace") == set()
    assert all(device.count("GPU-") == 1 for device in devices(tmp_path / "trace"))


def test_a_run_that_asks_for_two_gpus_gets_two(yard: Yard, machine: FakeMachine, tmp_path: Path) -> None:
    config = {"trace": str(tmp_path / "trace")}
    large = yard.submit(2, config=config, resources=Resources(gpus=2))
    small = yard.submit(2, config=config)

    a_worker(yard, discover([0, 1])).run(drain=True)

    assert yard.states([*large, *small]) == ["COMPLETED"] * 4
    assert overlaps(tmp_path / "trace") == set()
    assert f"{machine.uuid(0)},{machine.uuid(1)}" in devices(tmp_path / "trace")


def test_a_run_goes_to_the_smallest_gpu_that_is_large_enough(yard: Yard, machine: FakeMachine) -> None:
    machine.has("gpu 0 81920 0 0 Large", "gpu 1 8192 0 0 Small", "gpu 2 24576 0 0 Middle")
    (run,) = yard.submit(resources=Resources(gpu_memory_bytes=10 << 30))

    a_worker(yard).run(drain=True)

    assert yard.row(run).device_names == ("Middle",)


def test_a_gpu_in_use_outside_is_left_alone_and_its_user_is_shown(yard: Yard, machine: FakeMachine) -> None:
    machine.has_gpus(2)
    machine.also(f"compute 0 {os.getppid()} 4000")
    runs = yard.submit(2)
    seen: list[Snapshot] = []

    a_worker(yard).run(drain=True, on_tick=seen.append)

    assert [yard.row(run).devices for run in runs] == [(machine.uuid(1),)] * 2
    lane = seen[0].lanes[0]
    assert (lane.slot, lane.state) == ("GPU 0", "busy")
    assert lane.reason.startswith("GPU 0 is used outside Runyard by")


def test_a_reserved_gpu_is_left_alone_until_it_is_given_back(yard: Yard, machine: FakeMachine) -> None:
    machine.has_gpus(1)
    (run,) = yard.submit()
    slot = discover()[0]
    where = {"host": host_name(), "slot": slot.name}
    with closing(a_client(yard)) as client:
        client.reservations.reserve(
            **where, label=slot.label, user="anna", hours=1, now=time.time(), why="a demonstration"
        )
        worker = Worker(client, Holding(), [slot])
        worker.step()
        waiting, lane = yard.row(run).state, worker.snapshot().lanes[0]

        client.reservations.end(**where, now=time.time())
        worker.step()
        leased = client.queue.leases_of_host()
        worker.close()

    assert waiting == RunState.QUEUED
    assert "reserved by anna" in lane.reason
    assert [lease.run_id for lease in leased] == [run]


def test_a_run_that_does_not_fit_this_machine_is_left_to_others(yard: Yard, machine: FakeMachine) -> None:
    (run,) = yard.submit(resources=Resources(gpus=9))

    a_worker(yard).run(drain=True)

    assert yard.states([run]) == ["QUEUED"]


def test_a_broken_lock_costs_one_slot_and_not_the_worker(yard: Yard) -> None:
    (lock_directory() / "cpu-0.lock").mkdir()
    runs = yard.submit(2)
    seen: list[Snapshot] = []

    a_worker(yard).run(drain=True, on_tick=seen.append)

    assert [yard.row(run).devices for run in runs] == [("cpu-1",)] * 2
    assert (seen[0].lanes[0].state, seen[0].lanes[0].reason[:18]) == ("busy", "CPU 0 is left out.")


def test_a_worker_refuses_locks_that_others_could_replace(yard: Yard) -> None:
    lock_directory().chmod(0o777)

    with pytest.raises(UsageError, match=r"chmod \+t"):
        a_worker(yard)


def test_a_machine_with_only_sick_gpus_has_no_worker(yard: Yard, machine: FakeMachine) -> None:
    machine.also("lost 0 15")

    with pytest.raises(DeviceUnavailable, match="fallen off the bus"):
        a_worker(yard, discover([0]))


def test_the_live_table_shows_lanes_queue_and_grid(yard: Yard) -> None:
    began, go = yard.pipe(), yard.pipe()
    runs = yard.submit(3, config={"began": began.path, "go": go.path}, grid="g1")
    worker = a_worker(yard)

    with InThread(worker):
        began.read(), began.read()
        yard.client.index.catch_up()
        shown = worker.snapshot()
        go.tell(3)

    assert [(lane.slot, lane.state, lane.run_id, lane.run_name) for lane in shown.lanes] == [
        ("CPU 0", "running", runs[0], "run 0"),
        ("CPU 1", "running", runs[1], "run 1"),
    ]
    assert (shown.lanes[0].done, shown.lanes[0].total) == (0, 4)
    assert (shown.counts.waiting, shown.counts.leased) == (1, 2)
    (grid,) = shown.grids
    assert (grid.grid, grid.total, grid.running, grid.waiting, grid.ended) == ("g1", 3, 2, 1, 0)
    assert shown.eta_s is None, "no run of this kind has ended yet, so nothing is guessed"


def test_the_end_of_grid_and_queue_is_estimated_from_runs_like_these(yard: Yard) -> None:
    a_first = yard.submit(grid="g1")
    a_worker(yard).run(drain=True)
    took = yard.row(a_first[0]).duration_s
    assert took is not None
    yard.submit(4, grid="g1")

    shown = a_worker(yard).snapshot()

    assert shown.eta_s == pytest.approx(2 * took)
    assert shown.grids[0].eta_s == pytest.approx(2 * took)
    assert shown.grids[0].ended == 1


def test_asked_once_it_starts_nothing_more_and_waits_for_what_runs(yard: Yard) -> None:
    began, go = yard.pipe(), yard.pipe()
    runs = yard.submit(3, config={"began": began.path, "go": go.path})
    said: list[str] = []

    with InThread(a_worker(yard, say=said.append)) as worker:
        began.read(), began.read()
        worker.ask_to_stop()
        go.tell(2)

    assert yard.states(runs) == ["COMPLETED", "COMPLETED", "QUEUED"]
    assert said[0].startswith("Starting nothing more; 2 runs still to finish.")


def test_asked_twice_it_stops_the_runs_too(yard: Yard) -> None:
    began, go = yard.pipe(), yard.pipe()
    (run,) = yard.submit(config={"began": began.path, "go": go.path})

    with InThread(a_worker(yard)) as worker:
        began.read()
        worker.ask_to_stop()
        worker.ask_to_stop()

    row = yard.row(run)
    assert row.state is RunState.STOPPED
    assert "the worker was stopped" in row.reason


def test_sigterm_is_a_polite_request(yard: Yard) -> None:
    began, go = yard.pipe(), yard.pipe()
    (run,) = yard.submit(config={"began": began.path, "go": go.path})
    process = yard.start_worker()
    began.read()

    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert "1 run still to finish" in process.stdout.readline()
    go.tell()

    assert process.wait(60) == 0
    assert yard.states([run]) == ["COMPLETED"]


def test_killing_a_worker_leaves_its_run_running_and_the_next_worker_keeps_off_its_slot(yard: Yard) -> None:
    began, go = yard.pipe(), yard.pipe()
    first, second, third = yard.submit(3, config={"began": began.path, "go": go.path})
    process = yard.start_worker()
    pids = {began.read().split()[1], began.read().split()[1]}

    process.kill()
    process.wait()
    worker = a_worker(yard)
    worker.step()

    assert all(psutil.pid_exists(int(pid)) for pid in pids)
    assert yard.states([first, second, third]) == ["RUNNING", "RUNNING", "QUEUED"]
    assert [lane.state for lane in worker.snapshot().lanes] == ["busy", "busy"]
    assert {run for run in (first, second) for lane in worker.snapshot().lanes if run in lane.reason} == {first, second}
    go.tell(3)
    worker.run(drain=True)
    assert yard.states([first, second, third]) == ["COMPLETED"] * 3
    assert {yard.row(run).attempt for run in (first, second)} == {1}


def test_a_run_whose_supervisor_is_killed_is_tried_again(yard: Yard) -> None:
    began, go = yard.pipe(), yard.pipe()
    (run,) = yard.submit(config={"began": began.path, "go": go.path})

    with InThread(a_worker(yard)):
        _, pid, attempt = began.read().split()
        assert attempt == "1"
        supervisor = psutil.Process(int(pid)).parent()
        assert supervisor is not None
        supervisor.kill()
        assert began.read().split()[2] == "2"
        go.tell()

    assert yard.states([run]) == ["COMPLETED"]


def test_supervisors_that_cannot_start_end_the_worker_and_spare_the_runs(yard: Yard) -> None:
    runs = yard.submit(2)
    executor = LocalExecutor(command=(sys.executable, "-c", "raise SystemExit(5)"))
    said: list[str] = []
    worker = Worker(a_client(yard), executor, discover(), say=said.append, poll_s=0.01)

    with pytest.raises(ServiceError, match=r"could not be started: .*exit code 5.*supervisors\.log"):
        worker.run(drain=True)

    assert yard.states(runs) == ["QUEUED"] * 2
    assert [row.state for row in yard.client.queue.rows()].count("waiting") >= 1
    assert said


def test_a_run_that_cannot_be_read_is_held_and_the_others_go_on(yard: Yard) -> None:
    broken, good = yard.submit(2)
    (yard.client.home.run(broken).spec).write_text("no json")

    a_worker(yard).run(drain=True)

    row = yard.client.queue.row(broken)
    assert row is not None
    assert row.state == "held"
    assert yard.states([good]) == ["COMPLETED"]


def test_a_run_that_was_cancelled_while_it_was_being_claimed_is_not_started(yard: Yard) -> None:
    (run,) = yard.submit()
    spec = yard.client.spec(run)
    yard.client.request_stop(run)
    with yard.client.database.transaction() as tx:
        yard.client.queue.add(tx, [spec], now=0.0)

    a_worker(yard).run(drain=True)

    assert yard.row(run).attempt == 0
    assert yard.states([run]) == ["STOPPED"]
    assert yard.client.queue.rows() == []


def test_the_same_failure_three_times_holds_the_rest_of_the_grid(yard: Yard) -> None:
    runs = yard.submit(5, config={"fails": True}, grid="g1")
    (other,) = yard.submit()

    a_worker(yard, discover()[:1]).run(drain=True)

    assert yard.states(runs) == ["FAILED", "FAILED", "FAILED", "HELD", "HELD"]
    assert "failed in the same way" in yard.row(runs[4]).reason
    assert yard.states([other]) == ["COMPLETED"]


def test_a_slot_is_used_again_while_its_last_run_is_still_delivered(yard: Yard) -> None:
    first, second = yard.submit(2)
    executor = Holding()
    worker = Worker(yard.client, executor, discover()[:1])
    worker.step()
    assert list(executor.held) == [first]

    executor.let_go(first)
    worker.step()

    assert list(executor.held) == [first, second]
    executor.let_go(second)
    worker.close()


def test_a_worker_tells_how_its_machine_and_slots_do(yard: Yard, machine: FakeMachine) -> None:
    machine.also(f"compute 1 {os.getppid()} 9000")
    (run,) = yard.submit()
    executor = Holding()
    later_s = 0.0
    worker = Worker(yard.client, executor, discover()[:2], clock=lambda: time.time() + later_s)
    worker.step()
    later_s = HEARTBEAT_S + 1

    worker.step()
    (told,) = yard.client.queue.workers()

    assert told.report is not None
    assert told.report.memory_total_bytes == psutil.virtual_memory().total
    taken, foreign = told.report.slots
    assert (taken.label, taken.run_id, taken.is_sick) == ("GPU 0", run, False)
    assert "is used outside Runyard" in foreign.reason
    assert foreign.run_id == ""
    assert [each.pid for each in foreign.processes] == [os.getppid()]
    executor.let_go(run)
    worker.close()


def test_trouble_is_reported_once_and_the_worker_goes_on(yard: Yard) -> None:
    (run,) = yard.submit()
    said: list[str] = []
    troubles = 3

    def on_tick(snapshot: Snapshot) -> None:
        nonlocal troubles
        if troubles:
            troubles -= 1
            raise OSError("the disk is full")

    a_worker(yard, say=said.append, poll_s=0.01).run(drain=True, on_tick=on_tick)

    assert yard.states([run]) == ["COMPLETED"]
    assert said[0] == "Something failed; the worker goes on and tries again. OSError: the disk is full"
    assert len(said) == 1


DATA_TOML = 'name = "yard"\ndata_roots = ["trace"]\n'


def test_data_are_read_where_they_lie_on_this_machine_and_the_attempt_says_so(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path))
    (tmp_path / "machine.toml").write_text(f'[data]\n"@disk" = "{tmp_path}"\n')
    (tmp_path / "trace").touch()
    (yard.folder / "project" / "runyard.toml").write_text(DATA_TOML)
    (run_id,) = yard.submit(config={"trace": "@disk/trace"})

    with InThread(a_worker(yard)):
        pass

    assert yard.row(run_id).state == "COMPLETED"
    assert len((tmp_path / "trace").read_text().splitlines()) == 2
    assert yard.client.spec(run_id).config == {"trace": "@disk/trace"}
    assert TrackedRun(yard.client, yard.row(run_id)).attempts[0].data_paths == {"trace": str(tmp_path / "trace")}


def test_a_run_whose_data_are_not_here_is_left_to_other_machines_and_looked_at_again_later(
    yard: Yard, tmp_path: Path
) -> None:
    (yard.folder / "project" / "runyard.toml").write_text(DATA_TOML)
    (run_id,) = yard.submit(config={"trace": str(tmp_path / "trace")})
    said: list[str] = []
    clock = [time.time()]
    with closing(a_client(yard)) as client:
        worker = Worker(client, Holding(), discover()[:1], clock=lambda: clock[0], say=said.append)
        worker.step()
        worker.step()

        (row,) = yard.client.queue.rows()
        assert (row.state, row.attempt) == ("waiting", 0)
        assert row.refused == (f"{host_name()}: 'trace' names {tmp_path}/trace, which is not there.",)
        assert len(said) == 1
        assert said[0].startswith(f"Run {run_id} (run 0) is left to other machines")
        (tmp_path / "trace").touch()
        worker.step()
        assert yard.client.queue.rows()[0].state == "waiting"
        clock[0] += RECONSIDER_S
        worker.step()
        (row,) = yard.client.queue.rows()
        assert (row.state, row.attempt) == ("leased", 1)
