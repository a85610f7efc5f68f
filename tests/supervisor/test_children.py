"""Runs below a run: one supervisor watches them all, and what it says of each is true."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from time import monotonic
from typing import TypeVar

import psutil
import pytest

import runyard
from runyard.client import Client, open_client
from runyard.journal import HOST, RunFolder
from runyard.journal.events import ArtifactStored, ChildBegan, CodeSeen, Ended, Environment, Started
from runyard.records import decode_spec
from runyard.supervisor import supervise
from tests.supervisor.bench import TIMEOUT_S, Bench, events, gone, rows

T = TypeVar("T")

BEGIN = """
import os, signal, sys, time, runyard
study = runyard.start_run("weld", name="study")
"""


class Script:
    """A process that begins a run and others below it."""

    def __init__(self, bench: Bench, program: str) -> None:
        self.bench = bench
        own = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
        own |= {"RUNYARD_HOME": str(bench.home.path), "PYTHONPATH": str(Path(runyard.__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + dedent(program)], env=own, cwd=bench.folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        """Let its `input()` return."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def run(self, name: str) -> RunFolder:
        """The run of a name, as soon as somebody watches it."""
        return until(lambda: self._watched(name))

    def end(self, name: str) -> Ended:
        """How a run of it ended."""
        run = self.run(name)
        return until(lambda: next(iter(events(run, Ended)), None))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=TIMEOUT_S)
        for run in self.runs():
            for started in events(run, Started) if run.attempt(1).journal(HOST).exists() else ():
                gone(started.pid)

    def runs(self) -> list[RunFolder]:
        """All of them, the newest last."""
        folders = sorted(self.bench.home.runs.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return [RunFolder(path) for path in folders]

    def _watched(self, name: str) -> RunFolder | None:
        for run in self.runs():
            if decode_spec(run.spec.read_bytes()).name == name and run.attempt(1).journal(HOST).exists():
                return run if events(run, Started) else None
        return None


def until(look: Callable[[], T | None]) -> T:
    """What a look finds: files of other processes are all there is to wait for."""
    deadline = monotonic() + TIMEOUT_S
    while (found := look()) is None:
        assert monotonic() < deadline, "it did not come"
        select.select([], [], [], 0.02)
    return found


@pytest.fixture
def script(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Script]:
    """The program of the test's mark, under way."""
    found = Script(bench, request.param)
    yield found
    found.close()


def opened(bench: Bench) -> Client:
    return open_client(bench.home)


@pytest.mark.parametrize("script", ["""
    import pathlib
    for number in range(3):
        with runyard.start_run("weld", name=f"trial {number}", config={"x": number}, parent=study) as trial:
            trial.log(loss=1.0)
            if number == 1:
                pathlib.Path("weights.bin").write_bytes(b"w")
                trial.log_artifact("weights.bin")
    try:
        with runyard.start_run("weld", name="failing", parent=study) as trial:
            raise ValueError("diverged")
    except ValueError:
        pass
    study.finish()
"""], indirect=True)  # fmt: skip
def test_one_supervisor_tells_the_end_of_each_and_brings_it_home(script: Script, bench: Bench) -> None:
    script.end("study")
    trials = [script.run(f"trial {number}") for number in range(3)]
    failing = script.run("failing")
    (watcher,) = {event.pid for run in script.runs() for event in events(run, Started)}
    assert gone(watcher)

    assert [script.end(f"trial {number}").state for number in range(3)] == ["COMPLETED"] * 3
    assert (script.end("failing").state, script.end("failing").reason) == ("FAILED", "ValueError: diverged")
    assert script.end("failing").fingerprint
    assert [event.name for event in events(trials[1], ArtifactStored)] == ["weights.bin"]
    assert all(events(run, Environment) == events(script.run("study"), Environment) for run in (*trials, failing))
    client = opened(bench)
    found = client.index.find('"trial" in name', sort="created_at")
    assert [(row.config, row.summary["loss"].last, row.parent) for row in found] == [
        ({"x": number}, 1.0, script.run("study").id) for number in range(3)
    ]
    for row, following in pairwise(found):  # not when somebody noticed
        assert row.ended_at
        assert following.started_at
        assert row.ended_at <= following.started_at
    client.close()


@pytest.mark.parametrize("script", ["""
    with runyard.start_run("weld", name="done", parent=study) as trial:
        trial.log(loss=1.0)
    trial = runyard.start_run("weld", name="open", parent=study)
    inner = runyard.start_run("weld", name="inner", parent=trial)
    inner.log(loss=0.5)
    print("ready", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""], indirect=True)  # fmt: skip
def test_a_killed_process_ends_those_that_were_open_and_no_other(script: Script) -> None:
    assert script.line() == "ready"

    told = {name: script.end(name) for name in ("study", "done", "open", "inner")}

    assert {name: end.state for name, end in told.items()} == {
        "study": "INTERRUPTED", "done": "COMPLETED", "open": "INTERRUPTED", "inner": "INTERRUPTED"
    }  # fmt: skip
    assert told["inner"].reason == "its process ended without finishing the run"
    assert rows(script.run("inner"), stream="main")[0].values.tolist() == [[0.5]]


@pytest.mark.parametrize("script", ["""
    trial = runyard.start_run("weld", name="open", parent=study)
    print("ready", flush=True)
    input()
    late = runyard.start_run("weld", name="late", parent=study)
    print("again", flush=True)
    input()
"""], indirect=True)  # fmt: skip
def test_a_killed_supervisor_is_noticed_for_all_that_it_watched(script: Script, bench: Bench) -> None:
    assert script.line() == "ready"
    study, trial = script.run("study"), script.run("open")
    assert study.attempt(1).is_supervised()
    assert trial.attempt(1).is_supervised()
    watcher = events(study, Started)[0].pid
    os.kill(watcher, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(watcher) or psutil.Process(watcher).status() == "zombie" or None)

    client = opened(bench)
    client.refresh()
    client.reap(0.0)

    told = ("INTERRUPTED", "its supervisor was ended from outside")
    assert {row.name: (row.state, row.reason) for row in client.index.find(None)} == {"study": told, "open": told}
    client.close()
    script.go_on()
    assert script.line() == "again"
    assert events(script.run("late"), Started)[0].pid != watcher  # who comes later gets a supervisor of its own


@pytest.mark.parametrize("script", ["""
    trial = runyard.start_run("weld", name="trial", parent=study)
    print("ready", flush=True)
    try:
        while True:
            trial.log(loss=1.0)
            time.sleep(0.01)
    except runyard.StopRun as asked:
        trial.finish(asked)
        study.finish(asked)
"""], indirect=True)  # fmt: skip
@pytest.mark.parametrize("which", ["trial", "study"])
def test_a_stop_request_reaches_the_code_and_both_runs_say_who_asked(script: Script, bench: Bench, which: str) -> None:
    assert script.line() == "ready"

    script.run("trial")
    bench.request_stop(script.run(which), by="ada", why="enough")

    ends = [script.end(name) for name in ("trial", "study")]
    assert [(end.state, end.reason) for end in ends] == [("STOPPED", "by ada: enough")] * 2


@pytest.mark.parametrize("script", ["""
    trial = runyard.start_run("weld", name="trial", parent=study)
    study.finish()
    print("ready", flush=True)
    input()
    trial.log(loss=1.0)
    trial.finish()
    print("finished", flush=True)
    input()
"""], indirect=True)  # fmt: skip
def test_one_that_outlives_its_parent_is_watched_to_its_end(script: Script) -> None:
    assert script.line() == "ready"
    assert script.end("study").state == "COMPLETED"
    assert script.run("trial").attempt(1).is_supervised()
    assert not events(script.run("trial"), Ended)

    script.go_on()

    assert script.line() == "finished"
    assert script.end("trial").state == "COMPLETED"
    assert gone(events(script.run("study"), Started)[0].pid)  # although the process goes on


@pytest.mark.parametrize("script", ["""
    trial = runyard.start_run("weld", name="trial", parent=study)
    input()
"""], indirect=True)  # fmt: skip
def test_what_is_measured_of_the_process_is_measured_of_those_that_take_long(script: Script) -> None:
    trial = script.run("trial")
    found = until(lambda: rows(trial) or None)

    assert "sys/process_memory_bytes" in found[0].keys
    os.kill(script.process.pid, signal.SIGKILL)
    assert script.end("trial").state == "INTERRUPTED"


def test_a_run_that_runyard_started_has_runs_below_it(bench: Bench) -> None:
    run = bench.a_run("""
import runyard
with runyard.start_run("bench", name="below", parent=run) as below:
    below.log(loss=1.0)
left = runyard.start_run("bench", name="left", parent=run)
os._exit(3)
""")

    ended = supervise(bench.order(run))

    assert ended.state == "FAILED"
    began = events(run, ChildBegan, stream="main")
    below, left = (bench.home.run(event.run) for event in began)
    assert events(below, Ended)[0].state == "COMPLETED"
    assert (events(left, Ended)[0].state, events(left, Ended)[0].reason) == ("FAILED", "exited with 3")
    assert not left.attempt(1).is_supervised()
    client = opened(bench)
    assert {row.name for row in client.index.find(f'parent == "{run.id}"')} == {"below", "left"}
    client.close()


@pytest.mark.parametrize("script", ["""
    import multiprocessing
    def work(parent):
        with runyard.start_run("weld", name="spawned", parent=parent) as trial:
            trial.log(loss=2.0)
    while not study._attempt.is_supervised():
        time.sleep(0.01)
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=work, args=(study,))
    worker.start()
    worker.join()
    print("joined", flush=True)
    input()
"""], indirect=True)  # fmt: skip
def test_a_worker_process_begins_runs_below_too(script: Script) -> None:
    assert script.line() == "joined"

    assert script.end("spawned").state == "COMPLETED"
    assert events(script.run("spawned"), Started)[0].pid == events(script.run("study"), Started)[0].pid


@pytest.mark.parametrize("script", ["""
    import threading
    first = runyard.start_run("weld", name="first", parent=study)
    def other():
        with runyard.start_run("weld", name="second", parent=study) as second:
            second.log(loss=1.0)
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    print(first.is_finished, flush=True)
"""], indirect=True)  # fmt: skip
def test_one_of_another_thread_is_left_open(script: Script) -> None:
    assert script.line() == "False"

    assert script.end("second").state == "COMPLETED"


def test_a_journal_that_names_foreign_runs_harms_nobody(bench: Bench) -> None:
    other = bench.a_run()
    run = bench.a_run(f"""
from runyard.journal.events import ChildBegan
for text in ("../x", "", {other.id!r}, "0" * 10):
    run._event(ChildBegan(time_ns=1, run=text, pid=1))
""")

    assert supervise(bench.order(run)).state == "COMPLETED"

    assert not other.attempt(1).path.exists()
    assert not events(run, CodeSeen)[1:]
