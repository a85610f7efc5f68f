"""A home, a project whose training does what its config says, and workers on it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from runyard.client import Client, open_client
from runyard.index import RunRow
from runyard.records import RunId, RunSpec, new_run_id
from runyard.worker import Worker

CONFIG = """
from runyard import Config

class TrainConfig(Config):
    trace: str = ""
    began: str = ""
    go: str = ""
    fails: bool = False

DEFAULT = TrainConfig()
"""

TRAIN = """
import os

def note(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (text + "\\n").encode())
    os.close(fd)

def train(config, run):
    device = os.environ["CUDA_VISIBLE_DEVICES"] or os.environ["RUNYARD_SLOTS"]
    if config.trace:
        note(config.trace, f"+ {device}")
    run.log(loss=1.0)
    items = run.progress(range(4))
    next(items)
    if config.began:
        note(config.began, f"{device} {os.getpid()} {run.attempt}")
    if config.go:
        go = os.open(config.go, os.O_RDONLY)
        os.read(go, 1)  # one byte, so that others who wait get theirs
        os.close(go)
    if config.trace:
        note(config.trace, f"- {device}")
    if config.fails:
        raise RuntimeError("broken")
"""

WORK = """
import sys
from runyard.client import open_client
from runyard.devices import discover
from runyard.worker import local_worker
worker = local_worker(open_client(sys.argv[1]), discover(), say=lambda text: print(text, flush=True))
print("working", flush=True)
worker.run(drain="--drain" in sys.argv)
"""


class Pipe:
    """A named pipe that both sides may open at any time."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._file: IO[bytes] = open(os.open(path, os.O_RDWR), "rb", buffering=0)  # noqa: SIM115  # closed by `close`
        self._write = os.open(path, os.O_RDWR)

    def read(self) -> str:
        """The next line, as soon as there is one."""
        return self._file.readline().decode().strip()

    def tell(self, times: int = 1) -> None:
        """Let `times` readers go on."""
        for _ in range(times):
            os.write(self._write, b"\n")

    def close(self) -> None:
        self._file.close()
        os.close(self._write)


@dataclass
class Yard:
    folder: Path
    pipes: list[Pipe] = field(default_factory=list)
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        source = self.folder / "project" / "src"
        source.mkdir(parents=True)
        (source / "config.py").write_text(CONFIG)
        (source / "train.py").write_text(TRAIN)
        self.client = open_client(self.folder / "home")

    def pipe(self) -> Pipe:
        made = Pipe(self.folder / f"pipe-{len(self.pipes)}")
        self.pipes.append(made)
        return made

    def submit(self, count: int = 1, *, config: dict[str, Any] | None = None, **changes: Any) -> list[RunId]:
        """Queue runs; `changes` are fields of RunSpec, hence Any."""
        begin = datetime.now(UTC)
        specs = [
            RunSpec(
                **{
                    "id": new_run_id(),
                    "project": "yard",
                    "name": f"run {number}",
                    "created_at": begin + timedelta(microseconds=number),
                    "project_dir": str(self.folder / "project"),
                    "is_queued": True,
                    "config": config or {},
                    "grace_s": 5.0,
                    **changes,
                }
            )
            for number in range(count)
        ]
        self.client.submit(specs)
        return [spec.id for spec in specs]

    def row(self, run_id: str) -> RunRow:
        self.client.index.catch_up(run_id)
        return self.client.index.get(run_id)

    def states(self, run_ids: Iterable[str]) -> list[str]:
        return [str(self.row(run_id).state) for run_id in run_ids]

    def start_worker(self, *options: str) -> "subprocess.Popen[str]":
        """A worker in a process of its own that has begun to work."""
        process = subprocess.Popen(
            [sys.executable, "-c", WORK, str(self.folder / "home"), *options], stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        for row in self.client.index.find('state == "RUNNING"', limit=None):
            self.client.request_stop(row.id, why="the test is over")
        for pipe in self.pipes:
            pipe.close()
        self.client.close()


class InThread:
    """A worker that works beside the test; the block ends when it has drained the queue."""

    def __init__(self, worker: Worker, **options: Any) -> None:  # options: those of Worker.run
        self.worker = worker
        self.error: BaseException | None = None
        self._options = {"drain": True, **options}
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self.worker

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self.worker.ask_to_stop()
            self.worker.ask_to_stop()
        self._thread.join(90)
        assert not self._thread.is_alive(), "the worker did not end"
        if error is None and self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self.worker.run(**self._options)
        except BaseException as error:  # told to the test when it joins
            self.error = error


def a_client(yard: Yard) -> Client:
    """A client of its own for a second thread."""
    return open_client(yard.folder / "home")
