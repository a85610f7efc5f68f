"""Whole attempts with real child processes: how they end, and that the end is told truthfully."""

import os
import signal

import pytest

from runyard.errors import ConflictError, LeaseLost, NotFound
from runyard.journal import HOST, MAIN
from runyard.journal.events import (
    ArtifactStored,
    Environment,
    Failed,
    Finished,
    OutputDropped,
    Started,
    Warned,
)
from runyard.records import RunState
from tests.supervisor.bench import Bench, events, is_alive, output, rows


def test_a_training_that_returns_is_completed(bench: Bench) -> None:
    run = bench.a_run("print('hello', config.lr)\nrun.log(loss=1.5)", config={"lr": 0.5})

    ended = bench.supervise(run)

    assert (ended.state, ended.reason, ended.exit_code) == (RunState.COMPLETED, "", 0)
    assert output(run) == "hello 0.5\n"
    assert events(run, Finished, stream=MAIN)


def test_host_journal_tells_who_started_it_and_in_what(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    run = bench.a_run("pass", command=("run.py", "train"))

    bench.supervise(run, devices=("cpu-0",))

    (started,) = events(run, Started)
    (environment,) = events(run, Environment)
    assert (started.pid, started.devices, started.command) == (os.getpid(), ("cpu-0",), ("run.py", "train"))
    assert environment.variables["SOME_TOKEN"] == "***"
    assert "msgspec" in environment.packages


def test_everything_reaches_the_client(bench: Bench) -> None:
    run = bench.a_run("run.log(loss=1.0)")

    bench.supervise(run)

    attempt = run.attempt(1)
    assert bench.client.streams[(1, HOST)] == attempt.journal(HOST).read_bytes()
    assert bench.client.streams[(1, MAIN)] == attempt.journal(MAIN).read_bytes()
    assert bench.client.ended == [run.id]


def test_a_client_that_fails_at_first_gets_everything_later(bench: Bench) -> None:
    run = bench.a_run("run.log(loss=1.0)")
    bench.client.problems = [OSError("the database is away")]

    ended = bench.supervise(run)

    assert ended.state == RunState.COMPLETED
    assert bench.client.streams[(1, HOST)] == run.attempt(1).journal(HOST).read_bytes()
    assert "the database is away" in events(run, Warned)[0].text


def test_a_training_that_raises_failed_with_its_message(bench: Bench) -> None:
    run = bench.a_run("raise ValueError('lr must be positive')")

    ended = bench.supervise(run)

    (failed,) = events(run, Failed, stream=MAIN)
    assert (ended.state, ended.reason) == (RunState.FAILED, "ValueError: lr must be positive")
    assert ended.fingerprint == failed.fingerprint != ""
    assert "src/train.py" in output(run)
    assert "runyard" not in failed.traceback


def test_a_training_that_raises_at_import_failed(bench: Bench) -> None:
    run = bench.a_run("raise RuntimeError('too early')\ndef train(config, run):\n    pass\n")

    ended = bench.supervise(run)

    assert (ended.state, ended.reason) == (RunState.FAILED, "RuntimeError: too early")


def test_sys_exit_with_a_number_failed_with_that_number(bench: Bench) -> None:
    ended = bench.supervise(bench.a_run("sys.exit(3)"))

    assert (ended.state, ended.exit_code) == (RunState.FAILED, 3)
    assert "exited with 3" in ended.reason


def test_leaving_without_a_word_is_no_success(bench: Bench) -> None:
    ended = bench.supervise(bench.a_run("os._exit(0)"))

    assert ended.state == RunState.FAILED
    assert "before the training returned" in ended.reason


def test_a_segmentation_fault_failed_and_leaves_its_stack_in_the_output(bench: Bench) -> None:
    run = bench.a_run("import ctypes\nctypes.string_at(0)")

    ended = bench.supervise(run)

    assert (ended.state, ended.signal) == (RunState.FAILED, signal.SIGSEGV)
    assert "SIGSEGV" in ended.reason
    assert "train.py" in output(run)


def test_a_memory_error_is_out_of_memory(bench: Bench) -> None:
    ended = bench.supervise(bench.a_run("bytearray(1 << 60)"))

    assert ended.state == RunState.OUT_OF_MEMORY
    assert "MemoryError" in ended.reason


def test_a_kill_from_outside_interrupts(bench: Bench) -> None:
    ended = bench.supervise(bench.a_run("os.kill(os.getpid(), signal.SIGKILL)"))

    assert (ended.state, ended.signal) == (RunState.INTERRUPTED, signal.SIGKILL)
    assert "from outside by SIGKILL" in ended.reason


def test_the_time_limit_ends_a_run(bench: Bench) -> None:
    ended = bench.supervise(bench.a_run("while True:\n    run.log(loss=1.0)\n    time.sleep(0.01)", time_limit_s=1.5))

    assert ended.state == RunState.TIMED_OUT
    assert ended.reason == "its time limit of 1.5 s was reached"


def test_a_stop_request_ends_the_next_log(bench: Bench) -> None:
    bell = bench.a_bell()
    run = bench.a_run(f"{bell.ring}\nwhile True:\n    run.log(loss=1.0)\n    time.sleep(0.01)")
    bench.when(bell, lambda: bench.request_stop(run, by="ada", why="bad idea"))

    ended = bench.supervise(run)

    assert (ended.state, ended.reason) == (RunState.STOPPED, "by ada: bad idea")


def test_a_training_that_reads_should_stop_leaves_in_its_own_time(bench: Bench) -> None:
    bell = bench.a_bell()
    run = bench.a_run(f"{bell.ring}\nwhile not run.should_stop:\n    time.sleep(0.01)\nprint('saved')")
    bench.when(bell, lambda: bench.request_stop(run))

    ended = bench.supervise(run)

    assert (ended.state, ended.reason) == (RunState.STOPPED, "by ada")
    assert output(run) == "saved\n"


def test_a_stop_request_that_was_there_first_counts(bench: Bench) -> None:
    run = bench.a_run("while True:\n    run.log(loss=1.0)\n    time.sleep(0.01)")
    bench.request_stop(run)

    assert bench.supervise(run).state == RunState.STOPPED


def test_a_stop_during_the_import_works(bench: Bench) -> None:
    bell = bench.a_bell()
    run = bench.a_run(f"import time\n{bell.ring}\ntime.sleep(600)\ndef train(config, run):\n    pass\n")
    bench.when(bell, lambda: bench.request_stop(run))

    ended = bench.supervise(run)

    assert (ended.state, ended.signal) == (RunState.STOPPED, signal.SIGTERM)


def test_a_training_that_ignores_sigterm_is_killed_after_its_grace(bench: Bench) -> None:
    bell = bench.a_bell()
    run = bench.a_run(
        f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{bell.ring}\nwhile True:\n    time.sleep(600)", grace_s=0.3
    )
    bench.when(bell, lambda: bench.request_stop(run))

    ended = bench.supervise(run)

    assert (ended.state, ended.signal) == (RunState.STOPPED, signal.SIGKILL)


def test_a_daemon_does_not_outlive_its_run(bench: Bench) -> None:
    note = bench.folder / "daemon"
    run = bench.a_run(
        f"""
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open({str(note)!r}, 'w').write(str(os.getpid()))
        os.write(writer, b'x')
        time.sleep(600)
    os._exit(0)
os.read(reader, 1)
""",
        grace_s=0.2,
    )

    ended = bench.supervise(run)

    assert ended.state == RunState.COMPLETED
    assert not is_alive(int(note.read_text()))


def test_a_lost_lease_interrupts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard.supervisor.supervision.HEARTBEAT_S", 0.2)
    run = bench.a_run("while True:\n    run.log(loss=1.0)\n    time.sleep(0.01)")

    def lose() -> None:
        raise LeaseLost("another worker has it")

    bench.client.on_beat = lose

    ended = bench.supervise(run, worker_id="w1")

    assert (ended.state, ended.reason) == (RunState.INTERRUPTED, "lease lost: another worker has it")
    assert bench.client.beats[0] == (run.id, "w1", 1)


def test_sigterm_to_the_supervisor_interrupts_the_run(bench: Bench) -> None:
    bell = bench.a_bell()
    run = bench.a_run(f"{bell.ring}\nwhile True:\n    run.log(loss=1.0)\n    time.sleep(0.01)")
    bench.when(bell, lambda: os.kill(os.getpid(), signal.SIGTERM))

    ended = bench.supervise(run)

    assert ended.state == RunState.INTERRUPTED
    assert "SIGTERM" in ended.reason


def test_ctrl_c_in_the_foreground_stops_and_a_second_one_kills(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    first, second = bench.a_bell(), bench.a_bell()
    run = bench.a_run(
        f"""
def stop(*_):
    {second.ring}
signal.signal(signal.SIGTERM, stop)
print("working")
{first.ring}
while True:
    time.sleep(600)
""",
        grace_s=600.0,
    )
    bench.when(first, lambda: os.kill(os.getpid(), signal.SIGINT))
    bench.when(second, lambda: os.kill(os.getpid(), signal.SIGINT))

    ended = bench.supervise(run, foreground=True)

    assert ended.state == RunState.STOPPED
    assert ended.reason.endswith("Ctrl-C")
    assert ended.signal == signal.SIGKILL
    assert "working" in capfd.readouterr().out


def test_progress_bars_leave_one_line(bench: Bench) -> None:
    run = bench.a_run("""
for i in range(101):
    print(f"\\r{i:3}%", end="", file=sys.stderr)
print(file=sys.stderr)
print("done")
""")

    bench.supervise(run)

    assert output(run) == "100%\ndone\n"


def test_a_flood_of_output_costs_little_disk(bench: Bench) -> None:
    run = bench.a_run("""
line = "x" * 99 + "\\n"
for _ in range(1_000):
    sys.stdout.write(line * 1_000)
print("the last line")
""")

    ended = bench.supervise(run)

    (dropped,) = events(run, OutputDropped)
    assert ended.state == RunState.COMPLETED
    assert run.attempt(1).journal(HOST).stat().st_size < 10 << 20
    assert output(run).endswith("the last line\n")
    assert len(output(run).encode()) + dropped.size_bytes == 100_000_000 + len("the last line\n")


def test_samples_of_the_host_are_logged(bench: Bench) -> None:
    run = bench.a_run("""
while b"sys/cpu_percent" not in (run.dir / "attempts" / "1" / "host.journal").read_bytes():
    time.sleep(0.05)
""")

    bench.supervise(run)

    block, *_ = rows(run)
    values = dict(zip(block.keys, block.values[0], strict=True))
    assert values["sys/process_memory_bytes"] > 1 << 20
    assert values["sys/disk_free_bytes"] > 0
    assert 0 <= values["sys/cpu_percent"] <= 100


def test_logged_files_go_to_the_artifact_store(bench: Bench) -> None:
    run = bench.a_run("""
open("predictions.csv", "w").write("1,2")
run.log_artifact("predictions.csv")
""")

    bench.supervise(run)

    (stored,) = events(run, ArtifactStored)
    assert (stored.name, stored.size_bytes) == ("predictions.csv", 3)
    assert bench.client.artifacts.path(stored.sha256).read_bytes() == b"1,2"
    assert not any(path.is_file() for path in run.attempt(1).files.rglob("*"))


def test_locks_stay_open_in_the_child_and_are_released_with_it(bench: Bench) -> None:
    lock = os.open(bench.folder / "lock", os.O_CREAT | os.O_RDWR)
    run = bench.a_run(f"print(os.fstat({lock}).st_ino)")
    inode = os.fstat(lock).st_ino

    bench.supervise(run, lock_fds=(lock,))

    assert output(run) == f"{inode}\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(lock)


def test_an_attempt_is_supervised_while_it_runs_and_not_after(bench: Bench) -> None:
    bell, go = bench.a_bell(), bench.folder / "go"
    os.mkfifo(go)
    run = bench.a_run(f"{bell.ring}\nopen({str(go)!r}).read()")
    seen: list[bool] = []

    def look() -> None:
        seen.append(run.attempt(1).is_supervised())
        go.write_text("x")

    bench.when(bell, look)

    bench.supervise(run)

    assert seen == [True]
    assert not run.attempt(1).is_supervised()


def test_an_attempt_is_started_only_once(bench: Bench) -> None:
    run = bench.a_run("pass")
    bench.supervise(run)

    with pytest.raises(ConflictError, match="was started before"):
        bench.supervise(run)


def test_a_run_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(NotFound, match="There is no run"):
        bench.supervise(bench.home.run("0000000000"))


def test_order_variables_reach_the_child(bench: Bench) -> None:
    run = bench.a_run("print(os.environ['CUDA_VISIBLE_DEVICES'])")

    bench.supervise(run, env={"CUDA_VISIBLE_DEVICES": "GPU-1"})

    assert output(run) == "GPU-1\n"
