"""A bench for supervisors: small projects, real child processes, and a client that remembers what it was given."""

import os
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

import psutil

from runyard.artifacts import ArtifactStore
from runyard.journal import HOST, Home, RunFolder, append_event
from runyard.journal.events import Ended, Event, Output, StopRequested
from runyard.journal.pieces import Piece, Receipt
from runyard.journal.reader import EventAt, Rows, read_journal
from runyard.records import Resources, RunSpec, WorkerId, encode_spec, new_run_id
from runyard.supervisor import LaunchOrder, supervise
from runyard.supervisor.waiting import Waiting

TIMEOUT_S = 60.0

AnEvent = TypeVar("AnEvent", bound=Event)


class RecordingClient:
    """Keeps what is delivered, exactly as an index would: by offset, without gaps."""

    rest_s = 0.0

    def __init__(self, artifacts: Path) -> None:
        self.artifacts = ArtifactStore(artifacts)
        self.streams: dict[tuple[int, str], bytes] = {}
        self.ended: list[str] = []
        self.beats: list[tuple[str, str, int]] = []
        self.problems: list[Exception] = []  # raised by the next calls, one each
        self.on_beat: Callable[[], None] = _nothing

    def offset(self, run_id: str, attempt: int, stream: str) -> int:
        return len(self.streams.get((attempt, stream), b""))

    def deliver(self, pieces: Sequence[Piece]) -> list[Receipt]:
        if self.problems:
            raise self.problems.pop(0)
        return [self._take(piece) for piece in pieces]

    def _take(self, piece: Piece) -> Receipt:
        place = (piece.attempt, piece.stream)
        known = self.streams.get(place, b"")
        if piece.offset > len(known):
            raise ValueError(f"a gap: {piece.offset} after {len(known)}")
        self.streams[place] = known + piece.data[len(known) - piece.offset :]
        return Receipt(len(self.streams[place]))

    def bring_files(self) -> bool:
        return True

    def bring_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        return iter(())

    def fetch_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        return iter(())

    def heartbeat(self, run_id: str, worker_id: str, attempt: int) -> None:
        self.beats.append((run_id, worker_id, attempt))
        self.on_beat()

    def attempt_ended(self, run_id: str) -> None:
        self.ended.append(run_id)

    def close(self) -> None:
        pass


class Bell:
    """Rung by a process under test, heard by the test: a named pipe, so that nobody has to sleep."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    @property
    def ring(self) -> str:
        """Source code that rings it."""
        return f"open({str(self.path)!r}, 'w').write('x')"

    def wait(self) -> None:
        """Until it rings."""
        ready = select.poll()
        ready.register(self._fd, select.POLLIN)
        assert ready.poll(TIMEOUT_S * 1000), "the bell did not ring in time"
        os.read(self._fd, 1)

    def close(self) -> None:
        os.close(self._fd)


class Bench:
    """A home, a project, and runs of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home.open(folder / "home")
        self.project = folder / "project"
        self.client = RecordingClient(self.home.artifacts)
        self._bells: list[Bell] = []
        self._actors: list[threading.Thread] = []

    def a_project(self, train: str, *, config: str = "    lr: float = 0.1\n") -> Path:
        """A project whose src/train.py is `train`; the function may be given by its body alone."""
        source = self.project / "src"
        source.mkdir(parents=True, exist_ok=True)
        text = dedent(train)
        if "def train" not in text:
            body = "".join(f"    {line}\n" for line in text.strip().splitlines())
            text = f"import os, signal, sys, time\n\ndef train(config, run):\n{body}"
        (source / "__init__.py").write_text("")
        (source / "config.py").write_text(
            f"from runyard import Config\n\nclass TrainConfig(Config):\n{config}\nDEFAULT = TrainConfig()\n"
        )
        (source / "train.py").write_text(text)
        return self.project

    def a_run(self, train: str | None = None, *, time_limit_s: float | None = None, **changes: Any) -> RunFolder:
        """A run folder; `changes` are fields of RunSpec, hence Any."""
        if train is not None:
            self.a_project(train)
        settled: dict[str, Any] = {  # fields of RunSpec
            "id": new_run_id(),
            "project": "bench",
            "name": "a run",
            "created_at": datetime.now(UTC),
            "project_dir": str(self.project),
            "resources": Resources(time_limit_s=time_limit_s),
            "grace_s": 5.0,
            **changes,
        }
        spec = RunSpec(**settled)
        folder = self.home.run(spec.id)
        folder.path.mkdir()
        folder.spec.write_bytes(encode_spec(spec))
        return folder

    def order(self, run: RunFolder, **changes: Any) -> LaunchOrder:
        """An order for the first attempt; `changes` are fields of LaunchOrder, hence Any."""
        settled: dict[str, Any] = {"run_id": run.id, "home": str(self.home.path), "attempt": 1, **changes}
        return LaunchOrder(**settled)

    def supervise(
        self, run: RunFolder, *, worker_id: str | None = None, waiting: Waiting | None = None, **changes: Any
    ) -> Ended:
        """Live through the first attempt of a run."""
        order = self.order(run, worker_id=WorkerId(worker_id) if worker_id else None, **changes)
        ended = supervise(order, waiting=waiting, connect=lambda: self.client)
        for actor in self._actors:
            actor.join(TIMEOUT_S)
        return ended

    def a_bell(self) -> Bell:
        bell = Bell(self.folder / f"bell-{len(self._bells)}")
        self._bells.append(bell)
        return bell

    def when(self, bell: Bell, action: Callable[[], object]) -> None:
        """Do something as soon as the bell rings, beside the supervisor."""

        def act() -> None:
            bell.wait()
            action()

        actor = threading.Thread(target=act, daemon=True)
        actor.start()
        self._actors.append(actor)

    def request_stop(self, run: RunFolder, *, by: str = "ada", why: str = "") -> None:
        append_event(run.edits, StopRequested(time_ns=1, by=by, why=why, attempt=1), run=run.id)

    def close(self) -> None:
        for bell in self._bells:
            bell.close()


def output(run: RunFolder) -> str:
    """All that a run printed, as its journal has it."""
    return "".join(event.text for event in events(run, Output))


def events(run: RunFolder, kind: type[AnEvent], *, stream: str = HOST) -> list[AnEvent]:
    """Events of one kind in a journal of the first attempt."""
    items, _ = read_journal(run.attempt(1).journal(stream))
    return [item.event for item in items if isinstance(item, EventAt) and isinstance(item.event, kind)]


def rows(run: RunFolder, *, stream: str = HOST) -> list[Rows]:
    """Blocks of numbers in a journal of the first attempt."""
    items, _ = read_journal(run.attempt(1).journal(stream))
    return [item for item in items if isinstance(item, Rows)]


def is_alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid: int) -> bool:
    """Wait until a process has ended; whether it did."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], TIMEOUT_S)[0])
    finally:
        os.close(fd)


def _nothing() -> None:
    pass
