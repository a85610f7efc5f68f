"""Training processes that wait for their run, and what takes their place when they are of no use."""

import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from runyard import handover
from runyard.journal import RunFolder
from runyard.records import RunState
from runyard.supervisor.order import WarmUp, encode_order, encode_warm_up
from runyard.supervisor.waiting import Waiting
from tests.supervisor.bench import TIMEOUT_S, Bell, Bench, gone, output, rows
from tests.supervisor.test_processes import a_supervisor, the_end


class Stage:
    """A project that notes which process imports it and which one trains, with runs of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.imported: Bell = bench.a_bell()
        self.notes = bench.folder / "notes"
        self.env = {"RUNYARD_CODE": str(bench.project)}

    def a_run(self, *, at_import: str = "", in_train: str = "pass", **changes: Any) -> RunFolder:
        """`changes` are fields of RunSpec, hence Any."""
        note = f"open({str(self.notes)!r}, 'a').write"
        return self.bench.a_run(
            f"""import os, signal, subprocess, sys
{note}(f"import {{os.getpid()}}\\n")
{self.imported.ring}
{at_import}
def train(config, run):
    {note}(f"train {{os.getpid()}}\\n")
    {in_train}
""",
            **changes,
        )

    def warm_up(self, **changes: Any) -> WarmUp:
        """`changes` are fields of WarmUp, hence Any."""
        return WarmUp(
            **{"project_dir": str(self.bench.project), "entry": "src.train:train", "env": self.env, **changes}
        )

    def wait_for_import(self) -> int:
        """The pid of the process that imports now."""
        self.imported.wait()
        return self.pids("import")[-1]

    def pids(self, what: str) -> list[int]:
        lines = self.notes.read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith(what)]


@pytest.fixture
def stage(bench: Bench) -> Stage:
    return Stage(bench)


def test_a_process_that_waited_trains(stage: Stage) -> None:
    run = stage.a_run(in_train="print(config.lr, sys.argv[1:], os.getcwd(), run.attempt)", config={"lr": 0.5})
    waiting = Waiting(stage.warm_up())
    pid = stage.wait_for_import()

    ended = stage.bench.supervise(run, waiting=waiting, env=stage.env)

    assert ended.state is RunState.COMPLETED
    assert stage.pids("train") == [pid] == [waiting.pid]
    assert output(run) == f"0.5 [] {stage.bench.project} 1\n"


def test_what_the_imports_print_is_the_runs_output_and_comes_first(stage: Stage) -> None:
    run = stage.a_run(at_import="print('while importing')", in_train="print('while training')")
    waiting = Waiting(stage.warm_up())
    stage.wait_for_import()

    stage.bench.supervise(run, waiting=waiting, env=stage.env)

    assert output(run) == "while importing\nwhile training\n"


def test_a_run_waits_for_imports_that_are_not_done_yet(stage: Stage) -> None:
    run = stage.a_run()
    waiting = Waiting(stage.warm_up())

    stage.bench.supervise(run, waiting=waiting, env=stage.env)

    assert stage.pids("import") == stage.pids("train") == [waiting.pid]


def test_the_environment_of_a_process_that_waited_is_that_of_a_cold_start(stage: Stage) -> None:
    show = "print(sorted(f'{k}={v}' for k, v in os.environ.items() if k != 'RUNYARD_RUN_DIR'))"
    run = stage.a_run(in_train=show)
    same = stage.a_run(in_train=show)

    stage.bench.supervise(run, waiting=Waiting(stage.warm_up()), env=stage.env)
    stage.bench.supervise(same, env=stage.env)

    assert output(run) == output(same)


@pytest.mark.parametrize(
    "changes",
    [
        {"project_dir": "/"},
        {"entry": "src.train:other"},
        {"env": {"RUNYARD_CODE": "/"}},
        {"env": {"CUDA_VISIBLE_DEVICES": "GPU-1"}},
    ],
)
def test_a_process_that_waited_for_something_else_is_ended_and_the_run_starts_cold(
    stage: Stage, changes: dict[str, Any]
) -> None:
    run = stage.a_run()
    env = {**stage.env, **changes.pop("env", {})}
    waiting = Waiting(stage.warm_up(env=env, **changes))

    ended = stage.bench.supervise(run, waiting=waiting, env=stage.env)

    assert ended.state is RunState.COMPLETED
    assert waiting.pid not in stage.pids("train")
    assert gone(waiting.pid)


@pytest.mark.parametrize(
    "trouble", ["raise ValueError('only ahead')", "os._exit(0)", "import runyard; runyard.start_run(project='p')"]
)
def test_imports_that_fail_only_ahead_of_the_run_do_not_harm_it(stage: Stage, trouble: str) -> None:
    run = stage.a_run(at_import=f"if 'RUNYARD_WAITING' in os.environ: {trouble}")

    ended = stage.bench.supervise(run, waiting=Waiting(stage.warm_up()), env=stage.env)

    assert (ended.state, output(run)) == (RunState.COMPLETED, "")
    assert stage.pids("train") == [stage.pids("import")[1]]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("raise ValueError('always')", "ValueError: always"),
        ("sys.stdout.flush(); os._exit(3)", "exited with 3"),
    ],
)
def test_imports_that_always_fail_are_told_as_by_a_cold_start(stage: Stage, trouble: str, reason: str) -> None:
    run = stage.a_run(at_import=f"print('here')\n{trouble}")

    ended = stage.bench.supervise(run, waiting=Waiting(stage.warm_up()), env=stage.env)

    assert ended.state is RunState.FAILED
    assert reason in ended.reason
    assert output(run).count("here") == 1 + output(run).count("print('here')")


def test_imports_that_hang_ahead_of_the_run_are_given_up(stage: Stage) -> None:
    run = stage.a_run(at_import="if 'RUNYARD_WAITING' in os.environ: signal.pause()")
    waiting = Waiting(stage.warm_up(), import_s=0.0)
    stage.wait_for_import()

    ended = stage.bench.supervise(run, waiting=waiting, env=stage.env)

    assert ended.state is RunState.COMPLETED
    assert waiting.pid not in stage.pids("train")
    assert gone(waiting.pid)


def test_sigterm_ends_a_process_that_waits_and_the_run_starts_cold(stage: Stage) -> None:
    run = stage.a_run()
    waiting = Waiting(stage.warm_up())
    stage.wait_for_import()
    os.kill(waiting.pid, signal.SIGTERM)
    assert gone(waiting.pid)

    ended = stage.bench.supervise(run, waiting=waiting, env=stage.env)

    assert ended.state is RunState.COMPLETED
    assert stage.pids("train") != [waiting.pid]


def test_a_process_that_waits_has_no_lock_and_one_that_trains_has(stage: Stage, tmp_path: Path) -> None:
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    place = str(tmp_path / "lock")
    find = f"[int(fd) for fd in os.listdir('/proc/self/fd') if os.path.realpath(f'/proc/self/fd/{{fd}}') == {place!r}]"
    run = stage.a_run(in_train=f"print([os.get_inheritable(fd) for fd in {find}])")
    waiting = Waiting(stage.warm_up())
    stage.wait_for_import()
    assert not [file for file in psutil.Process(waiting.pid).open_files() if file.path == place]

    stage.bench.supervise(run, waiting=waiting, env=stage.env, lock_fds=(lock,))

    assert output(run) == "[True]\n"
    assert stage.pids("train") == [waiting.pid]


def test_the_processor_time_of_the_imports_is_not_the_runs(stage: Stage) -> None:
    compute = "while time.process_time() < 2: pass"
    until_sampled = "while b'sys/processes' not in (run.dir / 'attempts/1/host.journal').read_bytes(): time.sleep(0.05)"
    run = stage.a_run(at_import=f"import time\n{compute}\n{stage.imported.ring}", in_train=until_sampled)
    waiting = Waiting(stage.warm_up())
    stage.wait_for_import()
    stage.imported.wait()

    stage.bench.supervise(run, waiting=waiting, env=stage.env)

    sampled = rows(run)[0]
    used_percent = sampled.values[0][sampled.keys.index("sys/process_cpu_percent")]
    assert stage.pids("train") == [waiting.pid]
    assert used_percent < 90, "two seconds of computing before the run would be about 200 % of its first second"


def end_by_closing(process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
    ours.close()


def end_by_sigkill(process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
    process.kill()


@pytest.mark.parametrize("end", [end_by_closing, end_by_sigkill])
def test_what_waits_ends_with_its_supervisor(
    stage: Stage, end: Callable[["subprocess.Popen[bytes]", socket.socket], None]
) -> None:
    stage.a_run()
    ours, theirs = socket.socketpair()
    options = ["--standby", "--fd", str(theirs.fileno()), "--warm", encode_warm_up(stage.warm_up()).decode()]
    with ours, theirs, a_supervisor(*options, fds=[theirs.fileno()]) as process:
        theirs.close()
        pid = stage.wait_for_import()

        end(process, ours)

        process.wait(TIMEOUT_S)
    assert gone(pid)


def test_what_the_imports_have_started_ends_with_what_waits(stage: Stage) -> None:
    helper, has_started = stage.bench.folder / "helper", stage.bench.a_bell()
    stage.a_run(
        at_import=f"started = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"with open({str(helper)!r}, 'w') as file:\n    file.write(str(started.pid))\n{has_started.ring}"
    )
    ours, theirs = socket.socketpair()
    options = ["--standby", "--fd", str(theirs.fileno()), "--warm", encode_warm_up(stage.warm_up()).decode()]
    with ours, theirs, a_supervisor(*options, fds=[theirs.fileno()]) as process:
        theirs.close()
        has_started.wait()

        ours.close()

        assert process.wait(TIMEOUT_S) == 0
    assert gone(int(helper.read_text()))


def test_a_supervisor_that_stands_by_hands_its_order_to_what_waits(stage: Stage) -> None:
    run = stage.a_run()
    ours, theirs = socket.socketpair()
    options = ["--standby", "--fd", str(theirs.fileno()), "--warm", encode_warm_up(stage.warm_up()).decode()]
    with ours, theirs, a_supervisor(*options, fds=[theirs.fileno()]) as process:
        theirs.close()
        pid = stage.wait_for_import()

        handover.send(ours, encode_order(stage.bench.order(run, env=stage.env)))

        assert process.wait(TIMEOUT_S) == 0
    assert the_end(run).state == RunState.COMPLETED
    assert stage.pids("train") == [pid]
