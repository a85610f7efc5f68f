"""`Recording`: one process's part in a run, which is a stream in its journal, and all that may happen to it.

Fork and spawn, a full disk, a stop request, the end: each of them empties the dictionaries that the fast path of
`Run.log` looks into, and is dealt with here. Nothing that goes wrong here ends a training.

`Run` stands on it in three parts: `showing` (things to look at), `keeping` (files and models) and `run` (numbers, what
is said about the run, its end).
"""

import os
from _thread import get_ident
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any, Self

from runyard.errors import StopRun
from runyard.journal import Attempt, JournalWriter, RunFolder
from runyard.journal.events import Event, Opened, Warned
from runyard.records import RunSpec, decode_spec
from runyard.tracking.complaints import Complaints, caller, say
from runyard.tracking.series import Layout, SeriesBook
from runyard.tracking.stopping import StopSignal
from runyard.tracking.streams import open_stream, side_stream, stream_of_rank

ROOM_WAIT_VARIABLE = "RUNYARD_ROOM_WAIT_S"
ROOM_WAIT_S = 60.0  # at the end of a training whose disk is full
_ROOM_LOOK_S = 0.2


class Recording:
    """A run as far as it is written; `runyard.Run` is what training code sees of it."""

    def __init__(self, folder: "str | Path", attempt: int, *, spec: RunSpec, rank: int = 0, config: Any = None) -> None:
        """Use `Run.attach` or `start_run` instead.

        `config` is of any type: the project's own config class, or what `start_run` was given.
        """
        self._ones: dict[str, Layout] = {}
        self._firsts: dict[str, Layout] = {}
        self._writer: JournalWriter | None = None
        self._fd = -1
        self._book: SeriesBook | None = None
        self._steps: dict[str, int] = {}  # of the series that this process takes over from its parent
        self._folder = RunFolder(Path(folder))
        self._attempt: Attempt = self._folder.attempt(attempt)
        self._spec = spec
        self._rank = rank
        self._stream = stream_of_rank(rank)
        self._pid = os.getpid()
        self._decides_itself = False
        self._saw_stop = False
        self._is_finished = False
        self._was_blocked = False
        self._complaints = Complaints(self._record_warning)
        self._stop = StopSignal(self._layouts_away)
        self.id = spec.id
        self.name = spec.name
        self.project = spec.project
        self.config = spec.config if config is None else config
        self.data = spec.data
        self.attempt = attempt
        self.dir = self._folder.path
        self._thread = get_ident()
        self.resumed: bool = attempt > 1 and _has_entries(self._folder.checkpoints)

    @classmethod
    def attach(cls, run_dir: "str | Path", attempt: int, *, config: Any = None, rank: int | None = None) -> Self:
        """Join an attempt of a run whose folder exists: what a training process does first.

        The stream is "main", or "rank<k>" where `rank` (RANK of torchrun and its like if left out) is above 0; a
        process that finds it taken by another one gets "main-<pid>". SIGTERM becomes a stop request. `config`
        replaces the plain dictionary of run.json.

        Raises:
            OSError: the folder is not there, or cannot be written.
            msgspec.ValidationError: its run.json is none.
        """
        spec = decode_spec(RunFolder(Path(run_dir)).spec.read_bytes())
        rank = _number_from_environment("RANK", 0) if rank is None else rank
        run = cls(run_dir, attempt, spec=spec, rank=rank, config=config)
        run._open()
        return run

    @property
    def is_finished(self) -> bool:
        """Whether the end was recorded; nothing can be logged after it."""
        return self._is_finished

    # ---- the stream ----

    def _open(self) -> None:
        """Open the stream and say that this process is there."""
        self._writer, self._stream = open_stream(self._attempt, run=self.id, wanted=self._stream)
        self._fd = self._writer.fd
        self._book = SeriesBook(self._writer, self._steps)
        self._ones, self._firsts = self._book.ones, self._book.firsts
        self._stop.listen()
        world = _number_from_environment("WORLD_SIZE", 1)
        self._writer.event(Opened(time_ns=time_ns(), pid=self._pid, rank=self._rank, world_size=world))
        if self not in open_recordings:
            open_recordings.append(self)

    def _is_open(self) -> bool:
        """Whether something can be written; a forked child opens its stream here, when it first has something."""
        if self._is_finished:
            self._complaints.once(
                "finished", f"{caller()}: the run {self.id} has ended; what is logged after that is left out"
            )
            return False
        if self._writer is None:
            self._open()
        return True

    def _event(self, event: Event) -> None:
        """Append an event; whatever goes wrong is told once and survived."""
        try:
            if self._is_open():
                assert self._writer is not None  # _is_open said so
                self._writer.event(event)
                self._settle()
        except Exception as problem:  # one of the three places of STYLE.md
            self._survive(problem)

    def _settle(self) -> None:
        """After a write outside the fast path: allow the fast path, or keep it away while something is unusual."""
        writer, book = self._writer, self._book
        assert writer is not None  # something was just written
        assert book is not None
        if writer.is_blocked:
            self._layouts_away()
            if not self._was_blocked:
                self._was_blocked = True
                self._complaints.once(
                    "blocked",
                    f"{writer.path} cannot be written, the disk may be full. Training goes on; what is logged is "
                    "kept in memory (up to 64 MiB) and written as soon as there is room",
                )
        elif self._decides_itself or not self._stop.is_set:
            self._ones, self._firsts = book.ones, book.firsts
        if not writer.is_blocked and self._was_blocked:
            self._was_blocked = False
            self._complaints.once("unblocked", f"{writer.path} can be written again; what waited has been written")

    def _layouts_away(self) -> None:
        """Make every `log` take the slow path."""
        self._ones, self._firsts = {}, {}

    def _raise_stop(self) -> None:
        if self._stop.is_set and not self._decides_itself and self._stop.is_for_this_thread():
            raise StopRun

    def _inherit_stop(self, parent: "Recording") -> None:
        """Of a run that begins below another one: what was asked of that is asked of this one, too."""
        self._decides_itself = parent._decides_itself
        if parent._stop.is_set:
            self._stop.tell()

    def _survive(self, problem: Exception) -> None:
        self._complaints.once(
            ("unexpected", type(problem)),
            f"{caller()}: something could not be logged ({type(problem).__name__}: {problem}); training goes on",
        )

    def _record_warning(self, text: str) -> None:
        if self._writer is not None and not self._is_finished:
            self._writer.event(Warned(time_ns=time_ns(), text=text))

    def _after_fork(self) -> None:
        """In a forked child: forget the parent's stream, write nothing yet."""
        self._stop.restore()
        self._stop = StopSignal(self._layouts_away)
        self._layouts_away()
        self._steps = self._book.steps() if self._book else {}
        self._book = self._writer = None
        self._fd = -1
        self._pid = os.getpid()
        self._stream = side_stream(self._stream)
        self._was_blocked = False

    def _tells_the_end(self) -> bool:
        """Whether this process speaks for the run (or its rank): a forked or spawned helper does not."""
        return self._pid == os.getpid() and self._stream == stream_of_rank(self._rank)

    def _close(self) -> None:
        self._is_finished = True
        self._layouts_away()
        self._stop.restore()
        if self in open_recordings:
            open_recordings.remove(self)
        writer = self._writer
        if writer is None:
            return
        self._fd = -1
        if not writer.flush():
            self._wait_for_room(writer)
        writer.close()
        lost = writer.waiting_bytes
        if lost or writer.dropped:
            say(f"the disk stayed full: {lost:,} bytes and {writer.dropped:,} records of {writer.path} are lost")

    @staticmethod
    def _wait_for_room(writer: JournalWriter) -> None:
        """The one wait of this class: the last words of a training are worth a minute of a full disk."""
        wait_s = float(os.environ.get(ROOM_WAIT_VARIABLE) or ROOM_WAIT_S)
        say(f"the disk is full: waiting up to {wait_s:g} s for room to write {writer.waiting_bytes:,} bytes")
        deadline = monotonic() + wait_s
        while not writer.flush() and monotonic() < deadline:
            sleep(_ROOM_LOOK_S)


open_recordings: list[Recording] = []  # of this process, oldest first


def _forked() -> None:
    for recording in open_recordings:
        recording._after_fork()


os.register_at_fork(after_in_child=_forked)


def _number_from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdigit() else default


def _has_entries(folder: Path) -> bool:
    try:
        return bool(os.listdir(folder))
    except OSError:
        return False
