"""Three machines work one queue of a server that dies five times, over a network that is cut twice."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from runyard.client import Client, open_client
from runyard.errors import ServerAway
from runyard.journal import HOST
from runyard.journal.events import Ended
from runyard.journal.reader import EventAt, read_journal
from runyard.records import RunState
from tests import warm
from tests.journeys import relay as relay_script
from tests.journeys.conftest import SEEDS_PY, Story

RUNS = 60
SERVER_DEATHS = 5
CUTS = 2
CUT_S = 5.0  # longer than a client's patience
PATIENCE_S = 400.0

# A step is acknowledged in a file after its log returned.
TRAIN = """
import os, pathlib, time

def train(config, run):
    proof = pathlib.Path(os.environ["PROOF"])
    acks = os.open(proof / f"acks-{run.id}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for step in range(50):
        run.log(loss=1 / (step + 1), step=step)
        os.write(acks, f"{run.attempt} {step}\\n".encode())
        time.sleep(0.02)
"""


class Process:
    """A process of the test that is ended with it."""

    def __init__(self, command: list[str], *, env: dict[str, str], cwd: Path, log: Path) -> None:
        self._command, self._env, self._cwd, self._log = command, env, cwd, log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.popen = warm.start(self._command, cwd=self._cwd, env=self._env, out=log, imports=warm.SERVER)

    def kill_tree(self) -> None:
        """The plug is pulled: nothing of it lives on."""
        try:
            family = psutil.Process(self.popen.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        self.popen.kill()
        for each in family:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                pass
        self.popen.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def ended_with_the_test(processes: list[Process]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.popen.send_signal(signal.SIGCONT)
            process.kill_tree()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sixty_runs_are_completed_once_each_whatever_happens_to_server_network_and_machines(
    make_story: Callable[..., Story], tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    proof.mkdir()
    story = make_story(train=TRAIN, config=SEEDS_PY, PROOF=str(proof))
    port, relayed = free_port(), free_port()

    def process(*command: str, name: str, url: str) -> Process:
        home = {"RUNYARD_HOME": str(tmp_path / name), "RUNYARD_LOCK_DIR": str(tmp_path / f"locks-{name}")}
        env = story.env | home | {"RUNYARD_URL": url, "RUNYARD_CPU_SLOTS": "2"}
        return Process(list(command), env=env, cwd=story.folder, log=tmp_path / f"{name}.log")

    url = f"http://127.0.0.1:{port}"
    relay = process(relay_script.__file__, str(relayed), str(port), name="relay", url="local")
    serve = ("-m", "runyard", "server", "--home", str(tmp_path / "server"), "--name", "127.0.0.1", "--port", str(port))
    server = process(*serve, name="server", url="local")
    processes = [relay, server]
    chance = random.Random(11)
    with ended_with_the_test(processes):
        story.env["RUNYARD_TOKEN"] = token_of("dora", tmp_path / "server", story)
        client = open_remotely(url, tmp_path / "desk", story.env["RUNYARD_TOKEN"])
        wait_until(lambda: answers(client), "the server answers")
        story.env |= {"RUNYARD_URL": url, "RUNYARD_HOME": str(tmp_path / "desk")}
        story.run("train", f"seed={list(range(RUNS))}", "--queue", "--retries", "20")
        through = open_remotely(f"http://127.0.0.1:{relayed}", tmp_path / "desk", story.env["RUNYARD_TOKEN"])
        wait_until(lambda: answers(through), "the network is there")
        through.close()
        workers = [
            process("run.py", "work", name="anna", url=f"http://127.0.0.1:{relayed}"),
            process("run.py", "work", name="ben", url=url),
            process("run.py", "work", name="cleo", url=url),
        ]
        processes += workers
        wait_until(lambda: completed(client) >= 3, "the first runs are completed")
        workers[2].kill_tree()
        for number in range(SERVER_DEATHS):
            server.popen.kill()
            server.popen.wait()
            time.sleep(chance.uniform(0.2, 1.5))
            server.start()
            if number < CUTS:
                os.kill(relay.popen.pid, signal.SIGSTOP)
                time.sleep(CUT_S)
                os.kill(relay.popen.pid, signal.SIGCONT)
            before = completed(client)
            wait_until(partial(has_more, client, before), "another run is completed")
        wait_until(lambda: completed(client) == RUNS, f"all {RUNS} runs are completed")
        wait_until(lambda: not client.queue.rows(), "the queue has heard of the last end")
        rows = client.index.find(None, limit=None)

        assert Counter(row.state for row in rows) == {RunState.COMPLETED: RUNS}
        assert {completions(client, row.id) for row in rows} == {1}
        cleo = dict(story.env) | {"RUNYARD_HOME": str(tmp_path / "cleo")}
        said = subprocess.run(
            [sys.executable, "-m", "runyard", "sync"], env=cleo, capture_output=True, text=True, check=True, timeout=60
        )
        assert "Everything has arrived" in said.stdout
        for row in rows:
            # what the dead machine had completed a moment before, and could not tell, stays as the attempt that it was
            assert completions(client, row.id) - 1 in (0, int(row.attempt > 1))
            assert client.index.get(row.id).attempt == row.attempt
            every_acknowledged_step_is_in_the_index(client, row.id, proof / f"acks-{row.id}")
        for each in workers[:2]:
            each.popen.send_signal(signal.SIGTERM)
            assert each.popen.wait(60) == 0
        client.close()


def token_of(name: str, home: Path, story: Story) -> str:
    """A new account's token, as an admin makes it on the server's machine."""
    server = ("server", "--home", str(home))
    story.runyard(*server, "user", "add", name)
    said = story.runyard(*server, "token", "add", name, "--label", "workstation").stdout
    (token,) = re.findall(r"ry_[\w-]+", said)
    return str(token)


def open_remotely(url: str, home: Path, token: str) -> Client:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNYARD_URL", url)
        patch.setenv("RUNYARD_TOKEN", token)
        patch.setenv("RUNYARD_HOME", str(home))
        return open_client()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.3)  # between two questions to another process


def answers(client: Client) -> bool:
    return completed(client) >= 0


def has_more(client: Client, before: int) -> bool:
    return completed(client) > min(before, RUNS - 1)


def completed(client: Client) -> int:
    """How many runs are completed; -1 if nobody answers."""
    try:
        return client.index.count('state == "COMPLETED"')
    except ServerAway:
        return -1


def completions(client: Client, run_id: str) -> int:
    ends = [
        item.event
        for attempt in client.folder(run_id).attempts()
        if attempt.journal(HOST).exists()
        for item in read_journal(attempt.journal(HOST))[0]
        if isinstance(item, EventAt) and isinstance(item.event, Ended)
    ]
    return sum(end.state == RunState.COMPLETED for end in ends)


def every_acknowledged_step_is_in_the_index(client: Client, run_id: str, acks: Path) -> None:
    acknowledged: dict[int, set[int]] = {}
    for line in acks.read_text().splitlines():
        attempt, step = (int(word) for word in line.split())
        acknowledged.setdefault(attempt, set()).add(step)
    for attempt, steps in acknowledged.items():
        assert steps <= set(client.index.series(run_id, "loss", attempt=attempt).steps.tolist())
