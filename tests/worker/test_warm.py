"""The next run's process is there before its turn, imports done, and nothing of that can be noticed but the speed."""

import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import psutil
import pytest

from runyard.devices import Slot, discover
from runyard.executors import LocalExecutor
from runyard.project.snapshot import take
from runyard.records import CodeState, RunId
from runyard.worker import Worker
from runyard.worker.starter import supervisor_log
from runyard.worker.worker import REST_S
from tests.nvml.machine import FakeMachine
from tests.supervisor.bench import gone, is_alive
from tests.worker.yard import InThread, Pipe, Yard, a_client

TRAIN = """
import os

def tell(*words):
    fd = os.open(os.environ["EARS"], os.O_WRONLY)
    os.write(fd, (" ".join(map(str, words)) + "\\n").encode())
    os.close(fd)

VISIBLE = os.environ["CUDA_VISIBLE_DEVICES"] or os.environ["RUNYARD_SLOTS"]
tell("ahead" if "RUNYARD_WAITING" in os.environ else "import", os.getpid(), VISIBLE)
{at_import}

def train(config, run):
    tell("train", os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"] or os.environ["RUNYARD_SLOTS"], "{mark}")
    run.log(loss=1.0)
    if config.go:
        go = os.open(config.go, os.O_RDONLY)
        os.read(go, 1)
        os.close(go)
"""


class Theatre:
    """A yard whose training processes tell when they import and when they train."""

    def __init__(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        self.yard = yard
        self._ears: Pipe = yard.pipe()
        self._kept: list[list[str]] = []
        self.go: Pipe = yard.pipe()
        self.source = yard.folder / "project" / "src" / "train.py"
        monkeypatch.setenv("EARS", self._ears.path)

    def submit(self, count: int = 1, *, mark: str = "-", at_import: str = "", **changes: Any) -> list[RunId]:
        """Queue runs of frozen code; `changes` are fields of RunSpec, hence Any."""
        self.source.write_text(TRAIN.format(mark=mark, at_import=at_import))
        snapshot = take(self.yard.folder / "project", self.yard.client.artifacts).id
        config = {"go": self.go.path}
        return self.yard.submit(count, config=config, code=CodeState(snapshot=snapshot), **changes)

    def hear(self, word: str) -> tuple[int, str, str]:
        """Pid, visible device and mark of the next to say this word; what others say before is kept for later."""
        for said in self._kept:
            if said[0] == word:
                self._kept.remove(said)
                break
        else:
            while (said := self._ears.read().split())[0] != word:
                self._kept.append(said)
        return int(said[1]), said[2], " ".join(said[3:])

    def worker(self, slots: Sequence[Slot] | None = None, **options: Any) -> Worker:  # options: those of Worker
        client = a_client(self.yard)
        self.executor = LocalExecutor(log=supervisor_log(client.home.path))
        return Worker(client, self.executor, discover() if slots is None else slots, **options)

    def imported_ahead(self) -> list[bool]:
        """For each supervisor that stands by, whether it was told what to import."""
        return [bool(spare.warm_up) for spare in self.executor._spares.values()]


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def theatre(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    monkeypatch.setenv("RUNYARD_CPU_SLOTS", "1")
    return Theatre(yard, monkeypatch)


def test_the_next_run_gets_a_process_that_was_there_before_the_run_before_had_ended(theatre: Theatre) -> None:
    runs = theatre.submit(3)

    with InThread(theatre.worker()):
        first = theatre.hear("train")[0]
        second = theatre.hear("ahead")[0]
        assert is_alive(first)
        theatre.go.tell()
        assert theatre.hear("train")[0] == second
        third = theatre.hear("ahead")[0]
        theatre.go.tell()
        assert theatre.hear("train")[0] == third
        theatre.go.tell()

    assert len({first, second, third}) == 3
    assert theatre.yard.states(runs) == ["COMPLETED"] * 3


def test_code_that_was_edited_meanwhile_is_not_what_runs(theatre: Theatre) -> None:
    theatre.submit(2, mark="old")

    with InThread(theatre.worker()):
        theatre.hear("train")
        theatre.source.write_text("nonsense")
        warm = theatre.hear("ahead")[0]
        theatre.go.tell(2)

        assert theatre.hear("train") == (warm, "cpu-0", "old")


def test_a_run_that_pushes_in_gets_its_own_code(theatre: Theatre) -> None:
    theatre.submit(2, mark="usual")

    with InThread(theatre.worker(poll_s=60.0)) as worker:
        theatre.hear("train")
        usual = theatre.hear("ahead")[0]
        theatre.submit(mark="urgent", priority=9)
        theatre.go.tell()

        pid, _, mark = theatre.hear("train")
        assert (mark, pid != usual) == ("urgent", True)
        assert gone(usual)
        theatre.go.tell(2)
        worker.ask_to_stop()


def test_a_new_forecast_replaces_what_waits(theatre: Theatre) -> None:
    theatre.submit(2, mark="usual")

    with InThread(theatre.worker(poll_s=0.05)):
        theatre.hear("train")
        usual = theatre.hear("ahead")[0]
        theatre.submit(mark="urgent", priority=9)
        urgent = theatre.hear("ahead")[0]
        assert gone(usual)
        theatre.go.tell(3)

        assert theatre.hear("train") == (urgent, "cpu-0", "urgent")


def test_two_slots_have_a_process_each_with_the_devices_of_its_slot(theatre: Theatre, machine: FakeMachine) -> None:
    runs = theatre.submit(4)

    with InThread(theatre.worker(discover([0, 1]))):
        theatre.hear("train"), theatre.hear("train")
        waiting = dict(theatre.hear("ahead")[:2] for _ in range(2))
        theatre.go.tell()
        pid, visible, _ = theatre.hear("train")
        theatre.go.tell(3)

    assert set(waiting.values()) == {machine.uuid(0), machine.uuid(1)}
    assert waiting[pid] == visible
    assert theatre.yard.states(runs) == ["COMPLETED"] * 4


def test_a_project_that_takes_the_gpu_at_import_is_left_cold_and_its_user_is_told_once(
    theatre: Theatre, machine: FakeMachine
) -> None:
    context = f"open({str(machine.state)!r}, 'a').write(f'compute 0 {{os.getpid()}} 100\\n')"
    take_gpu = f"if 'RUNYARD_WAITING' in os.environ: {context}"
    runs = theatre.submit(3, at_import=take_gpu)
    said: list[str] = []
    is_told = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        is_told.set()

    with InThread(theatre.worker(discover([0]), say=say, poll_s=0.05)):
        theatre.hear("train")
        warm = theatre.hear("ahead")[0]
        assert is_told.wait(60)
        assert gone(warm)
        theatre.go.tell(3)
        later = [theatre.hear("train")[0] for _ in range(2)]

    assert warm not in later
    assert theatre.yard.states(runs) == ["COMPLETED"] * 3
    assert [text.partition(",")[0] for text in said] == ["The code of yard uses the GPU while it is imported"]


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_worker_imports_ahead_unless_it_is_a_cold_one(theatre: Theatre, is_warm: bool) -> None:
    clock = Clock()
    theatre.submit(2)
    worker = theatre.worker(is_warm=is_warm, clock=clock)
    worker.step()
    theatre.hear("train")
    assert theatre.imported_ahead() == [], "first the cores are the run's"

    clock.now += REST_S
    worker.step()

    assert theatre.imported_ahead() == [is_warm]
    theatre.go.tell(2)
    worker.run(drain=True)


def test_a_run_without_a_snapshot_is_not_imported_ahead(theatre: Theatre) -> None:
    clock = Clock()
    theatre.submit()
    theatre.yard.submit(config={"go": theatre.go.path})
    worker = theatre.worker(clock=clock)
    worker.step()
    theatre.hear("train")

    clock.now += REST_S
    worker.step()

    assert theatre.imported_ahead() == [False]
    theatre.go.tell(2)
    worker.run(drain=True)


def test_nothing_waits_for_an_empty_queue(theatre: Theatre) -> None:
    clock = Clock()
    _, second = theatre.submit(2)
    worker = theatre.worker(clock=clock)
    worker.step()
    theatre.hear("train")
    clock.now += REST_S
    worker.step()
    warm = theatre.hear("ahead")[0]

    theatre.yard.client.request_stop(second)
    worker.step()

    assert gone(warm)
    theatre.go.tell()
    worker.run(drain=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_ended_leaves_nothing_that_waits(theatre: Theatre, number: signal.Signals) -> None:
    theatre.submit(2)
    process = theatre.yard.start_worker()
    theatre.hear("train")
    warm = theatre.hear("ahead")[0]
    spare = psutil.Process(warm).ppid()

    process.send_signal(number)
    theatre.go.tell()
    process.wait(60)

    assert gone(warm)
    assert gone(spare)


def test_what_waits_survives_neither_its_supervisor_nor_harms_the_run(theatre: Theatre) -> None:
    runs = theatre.submit(2)

    with InThread(theatre.worker()):
        theatre.hear("train")
        warm = theatre.hear("ahead")[0]
        os.kill(psutil.Process(warm).ppid(), signal.SIGKILL)
        assert gone(warm)
        theatre.go.tell(2)

    assert theatre.yard.states(runs) == ["COMPLETED"] * 2
