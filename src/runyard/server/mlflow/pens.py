"""Writing what clients log into the journals of their runs.

A call costs one append to a file and no transaction: like `run.log` it is safe from then on against the end of any
process. The index catches up when somebody looks. A pen knows what must be checked before anything is written (params,
tags) and keeps it as long as nobody else appended to the run; another server's words are read from the index.
"""

import fcntl
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from runyard.client import Client
from runyard.client.reaper import SILENT_S
from runyard.errors import NotFound
from runyard.index import RunRow
from runyard.journal import HOST, MAIN, EncodedJournal, JournalWriter
from runyard.journal.events import Event, Started
from runyard.records import RunState
from runyard.server.mlflow.errors import MISSING, MlflowError

SOURCE = "mlflow"  # what the source of every run begins with that clients may write to
_ATTEMPT = 1
_MOST_OPEN = 256
_Keys = tuple[str, ...]
Row = tuple[_Keys, int, int, Sequence[float]]  # keys, step, time in nanoseconds, values


class Pen:
    """Writes one run. `texts` are its params as clients wrote them, `labels` its tags and what we note beside them."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.run_id = run_id
        self.lock = threading.Lock()
        self.row: RunRow
        self.texts: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self._client = client
        self._folder = client.home.run(run_id)
        self._fds: dict[str, int] = {}
        self._encoders: dict[str, EncodedJournal] = {}
        self._size = -1  # of the main journal, as we left it
        self.is_evicted = False

    @property
    def is_active(self) -> bool:
        """Whether the run is not deleted."""
        return self._folder.path.is_dir()

    def look(self) -> None:
        """Know what is true now; costs two looks at files as long as nobody else wrote."""
        fd = self._fd(MAIN)
        fcntl.flock(fd, fcntl.LOCK_EX)
        found = os.fstat(fd)
        if found.st_size != self._size:
            self._read()
            self._size = os.fstat(fd).st_size
        if time.time() - found.st_mtime > SILENT_S:
            self._say_that_it_lives()

    def leave(self) -> None:
        """Let others write."""
        fd = self._fds.get(MAIN)
        if fd is not None:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def write(self, *events: Event, rows: Sequence[Row] = (), stream: str = MAIN) -> None:
        """Append, all or nothing.

        Raises:
            OSError: the disk did not take it.
        """
        encoder = self._encoders.setdefault(stream, EncodedJournal(run=self.run_id, attempt=_ATTEMPT, stream=stream))
        for event in events:
            encoder.event(event)
        for keys, step, time_ns, values in rows:
            encoder.row(keys, step, time_ns, list(values))
        self._append(stream, encoder.take(with_header=False))

    def close(self) -> None:
        """Let go of the files."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def _append(self, stream: str, data: bytes) -> None:
        fd = self._fd(stream)
        before = os.fstat(fd).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:])
        except OSError:
            os.ftruncate(fd, before)
            self._encoders.clear()  # keys that were declared in what was taken back are declared anew
            raise
        if stream == MAIN:
            self._size = before + len(data)

    def _fd(self, stream: str) -> int:
        if stream not in self._fds:
            path = self._folder.attempt(_ATTEMPT).journal(stream)
            if not path.parent.is_dir():
                raise MlflowError(f"Run with id={self.run_id} not found", MISSING)
            self._fds[stream] = _opened(path, self.run_id, stream)
        return self._fds[stream]

    def _read(self) -> None:
        self._encoders.clear()
        self._client.index.catch_up(self.run_id)
        self.row = self._client.index.get(self.run_id)
        told = self._client.index.told([self.run_id]).get(self.run_id)
        self.texts = dict(told.texts) if told else {}
        self.labels = dict(self.row.labels)

    def _say_that_it_lives(self) -> None:
        """Of a run that had been silent so long that it counts as lost, so that it no longer does."""
        self._client.index.catch_up(self.run_id)
        row = self._client.index.get(self.run_id)
        if row.state is RunState.LOST:
            self.write(Started(time_ns=time.time_ns(), host=row.host, user=row.user, pid=0), stream=HOST)


class Pens:
    """The pens of a server; those of runs that nobody wrote to for long are put away."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Pen] = OrderedDict()
        self._fresh: dict[str, str] = {}  # runs whose journals are ahead of the index, with their projects

    @contextmanager
    def writing(self, run_id: str, project: str) -> Iterator[Pen]:
        """A pen that is ours until the block ends.

        Raises:
            MlflowError: there is no such run, it is deleted, or none that clients may write to.
        """
        pen = self._taken(run_id, project)
        try:
            if not pen.is_active:
                pen.close()
                raise MlflowError(f"The run {run_id} is deleted. The run ID must be in the 'active' state.")
            pen.look()
            self._check(pen.row, project)
            yield pen
        finally:
            pen.leave()
            if pen.is_evicted:
                pen.close()
            pen.lock.release()
            with self._lock:
                self._fresh[run_id] = project

    def catch_up(self, project: str, run_id: str | None = None) -> None:
        """Bring into the index what was written through this server: of one run, or of a project."""
        with self._lock:
            ours = [run for run, of in self._fresh.items() if of == project and run_id in (None, run)]
            for run in ours:
                del self._fresh[run]
        for run in ours:
            try:
                self._client.index.catch_up(run)
            except NotFound:  # deleted for good a moment ago
                continue

    def forget(self, run_id: str) -> None:
        """The folder of a run moves: what is open of it is closed."""
        with self._lock:
            pen = self._open.pop(run_id, None)
        if pen is not None:
            with pen.lock:
                pen.close()

    def close(self) -> None:
        """Let go of all files."""
        for run_id in list(self._open):
            self.forget(run_id)

    def _taken(self, run_id: str, project: str) -> Pen:
        while True:
            with self._lock:
                pen = self._open.get(run_id)
            if pen is None:
                pen = self._new(run_id, project)
            pen.lock.acquire()
            with self._lock:
                if self._open.get(run_id) is pen:
                    self._open.move_to_end(run_id)
                    return pen
            pen.lock.release()  # it was put away while we waited

    def _new(self, run_id: str, project: str) -> Pen:
        row = require(self._client, run_id, project)
        self._check(row, project)
        with self._lock:
            pen = self._open.setdefault(run_id, Pen(self._client, run_id))
            while len(self._open) > _MOST_OPEN:
                _, old = self._open.popitem(last=False)
                old.is_evicted = True
                if old.lock.acquire(blocking=False):
                    old.close()
                    old.lock.release()
        return pen

    @staticmethod
    def _check(row: RunRow, project: str) -> None:
        if row.project != project:
            raise MlflowError(f"Run with id={row.id} not found", MISSING)
        if not row.source.startswith(SOURCE):
            raise MlflowError(
                f"Run {row.id} is recorded by Runyard itself; MLflow's clients can read it, and not write to it."
            )


def require(client: Client, run_id: str, project: str) -> RunRow:
    """A run of a project.

    Raises:
        MlflowError: there is none of this id.
    """
    try:
        row = client.index.get(run_id)
    except NotFound:
        row = None
    if row is None or row.project != project:
        raise MlflowError(f"Run with id={run_id} not found", MISSING)
    return row


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """What of `after` is not in `before` already."""
    return {key: value for key, value in after.items() if before.get(key) != value}


def _opened(path: Path, run_id: str, stream: str) -> int:
    writer = JournalWriter(path, run=run_id, attempt=_ATTEMPT, stream=stream)
    try:
        return os.dup(writer.fd)
    finally:
        writer.close()
