"""Supervisors as processes of their own, and what is left when they are killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import runyard
from runyard import handover
from runyard.client import open_client
from runyard.journal import HOST, MAIN, RunFolder
from runyard.journal.events import CodeSeen, Ended, Failed, Finished, Started, Warned
from runyard.journal.writer import JournalWriter
from runyard.records import RunState
from runyard.supervisor.order import encode_order
from tests.supervisor.bench import TIMEOUT_S, Bench, events, gone, output

SUPERVISOR = [sys.executable, "-P", "-m", "runyard.supervisor"]
FOREVER = "while True:\n    run.log(loss=1.0)\n    time.sleep(0.01)"


@contextmanager
def a_supervisor(
    *arguments: str, stdin: IO[bytes] | int = subprocess.DEVNULL, fds: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor process; it is ended with the block, whatever happens in it."""
    with subprocess.Popen(
        [*SUPERVISOR, *arguments], stdin=stdin, stderr=subprocess.PIPE, pass_fds=fds, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def state_in_index(bench: Bench, run: RunFolder) -> str:
    client = open_client(bench.home)
    try:
        return str(client.index.get(run.id).state)
    finally:
        client.close()


def the_end(run: RunFolder) -> Ended:
    (ended,) = events(run, Ended)
    return ended


def test_an_order_in_a_file_is_executed_and_its_end_is_in_the_index(bench: Bench) -> None:
    run = bench.a_run("print('hello')")
    file = bench.folder / "order.json"
    file.write_bytes(encode_order(bench.order(run)))

    with a_supervisor("--order", str(file)) as process:
        assert process.wait(TIMEOUT_S) == 0

    assert the_end(run).state == RunState.COMPLETED
    assert output(run) == "hello\n"
    assert not events(run, Warned)
    assert state_in_index(bench, run) == "COMPLETED"


def test_what_is_no_order_is_refused_with_a_sentence(bench: Bench) -> None:
    with a_supervisor("--order", "-", stdin=subprocess.DEVNULL) as process:
        _, complaint = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 2
    assert b"no launch order" in complaint
    assert b"Traceback" not in complaint


def test_a_supervisor_that_stands_by_takes_one_order_with_its_locks(bench: Bench) -> None:
    lock = os.open(bench.folder / "lock", os.O_CREAT | os.O_RDWR)
    run = bench.a_run("print(len(os.listdir('/proc/self/fd')) > 3)")
    ours, theirs = socket.socketpair()

    with ours, theirs, a_supervisor("--standby", "--fd", str(theirs.fileno()), fds=[theirs.fileno()]) as process:
        handover.send(ours, encode_order(bench.order(run)), fds=[lock])
        assert process.wait(TIMEOUT_S) == 0

    os.close(lock)
    assert the_end(run).state == RunState.COMPLETED


def test_a_supervisor_that_stands_by_leaves_quietly_when_nobody_wants_it(bench: Bench) -> None:
    ours, theirs = socket.socketpair()

    with theirs, a_supervisor("--standby", "--fd", str(theirs.fileno()), fds=[theirs.fileno()]) as process:
        theirs.close()
        ours.close()
        _, complaint = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 0
    assert complaint == b""


def test_nothing_of_a_run_outlives_its_killed_supervisor(bench: Bench) -> None:
    bell, note = bench.a_bell(), bench.folder / "pid"
    run = bench.a_run(f"open({str(note)!r}, 'w').write(str(os.getpid()))\n{bell.ring}\n{FOREVER}")
    file = bench.folder / "order.json"
    file.write_bytes(encode_order(bench.order(run)))

    with a_supervisor("--order", str(file)) as process:
        bell.wait()
        assert run.attempt(1).is_supervised()
        process.send_signal(signal.SIGKILL)
        process.wait(TIMEOUT_S)

    assert gone(int(note.read_text()))
    assert not run.attempt(1).is_supervised()
    assert not events(run, Ended)


def test_sigterm_to_a_supervisor_process_ends_its_run_in_good_order(bench: Bench) -> None:
    bell = bench.a_bell()
    run = bench.a_run(f"{bell.ring}\n{FOREVER}")
    file = bench.folder / "order.json"
    file.write_bytes(encode_order(bench.order(run)))

    with a_supervisor("--order", str(file)) as process:
        bell.wait()
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0

    assert the_end(run).state == RunState.INTERRUPTED


def test_a_foreign_process_is_watched_to_its_silent_end(bench: Bench) -> None:
    run = bench.a_run(kind="external", project_dir="")
    run.attempt(1).path.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        journal = JournalWriter(run.attempt(1).journal(MAIN), run=run.id, attempt=1, stream=MAIN)
        with a_supervisor("--watch", str(run.path), "--pid", str(foreign.pid)) as process:
            assert foreign.stdin is not None
            foreign.stdin.close()
            assert process.wait(TIMEOUT_S) == 0
        journal.close()

    ended = the_end(run)
    assert (ended.state, ended.exit_code) == (RunState.INTERRUPTED, None)
    assert ended.reason == "its process ended without finishing the run"


def test_a_watched_run_ends_when_it_is_finished_although_its_process_goes_on(bench: Bench) -> None:
    run = bench.a_run(kind="external", project_dir="")
    run.attempt(1).path.mkdir(parents=True)
    journal = JournalWriter(run.attempt(1).journal(MAIN), run=run.id, attempt=1, stream=MAIN)

    with a_supervisor("--watch", str(run.path), "--pid", str(os.getpid())) as process:
        journal.event(Finished(time_ns=1))
        assert process.wait(TIMEOUT_S) == 0
    journal.close()

    assert the_end(run).state == RunState.COMPLETED


def test_a_watched_run_that_failed_is_failed(bench: Bench) -> None:
    run = bench.a_run(kind="external", project_dir="")
    run.attempt(1).path.mkdir(parents=True)
    journal = JournalWriter(run.attempt(1).journal(MAIN), run=run.id, attempt=1, stream=MAIN)
    journal.event(Failed(time_ns=1, type="KeyError", message="'x'", traceback="…", fingerprint="f"))
    journal.close()

    with a_supervisor("--watch", str(run.path), "--pid", str(os.getpid())) as process:
        assert process.wait(TIMEOUT_S) == 0

    assert (the_end(run).state, the_end(run).reason) == (RunState.FAILED, "KeyError: 'x'")


def test_a_number_that_means_another_process_by_now_is_not_watched(bench: Bench) -> None:
    run = bench.a_run(kind="external", project_dir="")
    run.attempt(1).path.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with a_supervisor("--watch", str(run.path), "--pid", str(other.pid), "--started", "1000000000") as process:
            assert process.wait(TIMEOUT_S) == 0
        assert other.poll() is None

    assert the_end(run).state == RunState.INTERRUPTED


def test_start_run_in_a_script_is_watched_and_its_code_is_known(bench: Bench) -> None:
    folder = bench.folder / "script"
    folder.mkdir()
    for command in (
        ["init", "-q", "-b", "trunk"],
        ["-c", "user.name=Ada", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "First"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    source = "import runyard\nwith runyard.start_run(project='p') as run:\n    run.log(loss=0.5)\nprint(run.id)"

    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=folder,
        env={
            **os.environ,
            "RUNYARD_HOME": str(bench.home.path),
            "PYTHONPATH": str(Path(runyard.__file__).parents[1]),  # absolute, since the script runs elsewhere
        },
        capture_output=True,
        text=True,
        check=True,
    )

    run = bench.home.run(done.stdout.strip())
    wait_for_end(run)
    assert the_end(run).state == RunState.COMPLETED
    assert events(run, CodeSeen)[0].branch == "trunk"
    assert not events(run, Warned)
    assert state_in_index(bench, run) == "COMPLETED"


def wait_for_end(run: RunFolder) -> None:
    """Until the detached supervisor has come and gone; pytest's own timeout ends the wait if it never comes."""
    moment = threading.Event()  # never set: the file of another process is all there is to look at
    while not run.attempt(1).journal(HOST).exists() or not events(run, Started):
        moment.wait(0.01)
    assert gone(events(run, Started)[0].pid)


def test_a_full_disk_ends_neither_run_nor_supervisor(small_disk: Path) -> None:
    bench = Bench(small_disk)
    bell, go = bench.a_bell(), small_disk / "go"
    os.mkfifo(go)
    run = bench.a_run(f"""
print("x" * 1_000_000)
{bell.ring}
open({str(go)!r}).read()
print("the end")
""")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_500_000)

    def make_room() -> None:
        ballast.unlink()
        go.write_text("x")

    bench.when(bell, make_room)
    ended = bench.supervise(run)
    bench.close()

    assert ended.state == RunState.COMPLETED
    assert output(run) == "x" * 1_000_000 + "\nthe end\n"
    assert the_end(run) == ended
