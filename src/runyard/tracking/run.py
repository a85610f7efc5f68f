"""`Run`: what training code holds.

`Run.log` is one dictionary lookup, one `struct.pack`, one CRC and one `write`. Everything unusual (new keys, a
stop request, a fork, a full disk, a value that is no number) makes that fast path fail on purpose, mostly by
emptying the dictionary, and is then dealt with in `_log_slowly`. There is no thread, no lock, no socket and no
database here, and nothing to wait for at exit: what a call has written is in the file.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from operator import index
from pathlib import Path
from struct import Struct
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from zlib import crc32

from runyard.errors import StopRun, UsageError
from runyard.journal import RunFolder
from runyard.journal.events import (
    Configured,
    Event,
    Finished,
    Noted,
    Progress,
    StopObeyed,
    Tagged,
)
from runyard.journal.format import RESIDUE
from runyard.records import decode_spec
from runyard.tracking.complaints import caller
from runyard.tracking.keeping import Keeping
from runyard.tracking.recording import open_recordings
from runyard.tracking.series import DifferentSteps
from runyard.tracking.showing import Showing
from runyard.tracking.streams import side_stream
from runyard.tracking.values import check_name, check_step, flatten, number

if TYPE_CHECKING:
    from runyard.tracking.writer import SummaryWriter

Item = TypeVar("Item")

_crc_bytes = Struct("<I").pack
_write = os.write


class Run(Showing, Keeping):
    """One run, as its training code sees it.

    Training code gets it as an argument, or from `runyard.start_run()`. It may be used by any thread and in forked
    and spawned children; each process writes a stream of its own. Nothing that is logged can end a training, with
    two exceptions that are there at the first call: a metric name or a step that is none raises `UsageError`, and
    a stop request raises `StopRun` (unless the code reads `should_stop`). A value that is no number is told on
    stderr once per key and left out; so is everything else that goes wrong.

    Attributes:
        id: the run's id, ten characters.
        name: a readable name; people may change it later.
        project: the project it belongs to.
        config: what the run was configured with; the typed config object in a project.
        data: the data path that was given on the command line, or None.
        attempt: 1 at first; one more each time the run was interrupted and resumed.
        dir: the run's folder.
    """

    # ---- numbers ----

    def log(self, metrics: "Mapping[str, Any] | None" = None, /, *, step: Any = None, **named: Any) -> None:
        """Record numbers at a step; what has returned survives SIGKILL.

        Names and numbers come as a mapping, as keywords, or both; nested mappings are joined with "/". Numbers are
        Python's, or scalars and arrays of one element of NumPy, PyTorch, JAX and the like (hence `Any`); NaN and
        infinities are kept. `step` is any whole number, repeated and unordered ones included. Without it each
        series goes on from its own last step, beginning with 0; after a resume it begins with 0 again, so give the
        step wherever a run may be resumed from a checkpoint.

        Raises:
            UsageError: a name is no text, empty, longer than 500 characters or holds control characters; or the
                step is no whole number of 64 bits. Both are mistakes in the call itself, seen when it is first
                made. A value that is no number comes out of the computation, maybe after hours, and is only
                warned about.
            StopRun: somebody asked the run to stop, and the code never read `should_stop`.
        """
        given: Any = metrics  # Any: what is no mapping fails below, and is told in the slow path
        try:
            if named:
                given = {**given, **named} if given else named
            for key in given:  # noqa: B007  # the first key, in half the time of next(iter(...))
                break
            if len(given) == 1:
                layout = self._ones[key]
                at = layout.last + 1 if step is None else step if step.__class__ is int else index(step)
                row = layout.pack(layout.head, at, time_ns(), given[key])
            else:
                layout = self._firsts[key]
                if given.__class__ is not dict:  # a defaultdict would invent what it lacks
                    raise TypeError
                values = layout.values_of(given)
                if len(values) != len(given):
                    raise LookupError
                at = layout.last + 1 if step is None else step if step.__class__ is int else index(step)
                row = layout.pack(layout.head, at, time_ns(), *values)
            row += _crc_bytes(crc32(row, RESIDUE))
            written = _write(self._fd, row)
        except Exception:  # one of the three places of STYLE.md: whatever it is, it is told and survived there
            self._log_slowly(given, step)
            return
        layout.last = at
        if written != layout.size:
            self._keep(row, written)

    def _log_slowly(self, metrics: Any, step: Any) -> None:
        """Log what the fast path could not: new keys, odd values, and every state that is not the usual one."""
        self._raise_stop()
        if metrics is None or (isinstance(metrics, Mapping) and not metrics):
            return
        try:
            if not isinstance(metrics, Mapping):
                raise UsageError(f"log takes a mapping of names to numbers, not {type(metrics).__name__}.")
            numbers = self._numbers(metrics)
            at = None if step is None else check_step(step)
            if numbers and self._is_open():
                self._append_rows(numbers, at)
        except UsageError:
            raise
        except Exception as problem:  # one of the three places of STYLE.md: losing a metric must not kill a training
            self._survive(problem)

    def _numbers(self, metrics: Mapping[Any, Any]) -> dict[str, float]:
        """The metrics that are numbers; the others are complained about."""
        numbers: dict[str, float] = {}
        for name, value in flatten(metrics):
            key = check_name(name)
            try:
                numbers[key] = number(value)
            except TypeError as problem:
                self._complaints.once(
                    ("value", key),
                    f"{caller()}: the value of {key!r} is {problem}; such points are left out, training goes on",
                )
        return numbers

    def _append_rows(self, numbers: dict[str, float], step: int | None) -> None:
        book, writer = self._book, self._writer
        assert book is not None  # _is_open said so
        assert writer is not None
        keys = tuple(numbers)
        layout = book.layout(keys)
        try:
            at = layout.last + 1 if step is None else step
        except DifferentSteps:
            for group in book.by_next_step(keys).values():
                self._append_rows({key: numbers[key] for key in group}, None)
            return
        row = layout.pack(layout.head, check_step(at), time_ns(), *numbers.values())
        writer.append(row + _crc_bytes(crc32(row, RESIDUE)))
        layout.last = at
        self._settle()

    def _keep(self, row: bytes, written: int) -> None:
        assert self._writer is not None  # the fast path works only with an open stream
        self._writer.keep(row, written)
        self._settle()

    # ---- about the run ----

    def tag(self, *tags: str) -> None:
        """Add tags to the run."""
        self._event(Tagged(time_ns=time_ns(), add=tuple(check_name(tag, what="tag") for tag in tags)))

    def untag(self, *tags: str) -> None:
        """Remove tags from the run."""
        self._event(Tagged(time_ns=time_ns(), remove=tuple(check_name(tag, what="tag") for tag in tags)))

    def configure(self, settings: "Mapping[str, Any]") -> None:
        """Add settings that became known after the run began, e.g. those of a library; they replace earlier ones.

        Names may be dotted, mappings nested; values are JSON-like. The identity of the run does not change by them.

        Raises:
            UsageError: a name is no text, or the values are no mapping.
        """
        if not isinstance(settings, Mapping):
            raise UsageError(f"configure takes a mapping of names to values, not {type(settings).__name__}.")
        from runyard.tracking.settings import dotted  # late: few trainings learn of settings while they run

        self._event(Configured(time_ns=time_ns(), values=dotted(settings)))

    def note(self, text: str) -> None:
        """Write the run's note, for people; a later one replaces it."""
        self._event(Noted(time_ns=time_ns(), text=str(text)))

    def writer(self) -> "SummaryWriter":
        """Something with the calls of TensorBoard's SummaryWriter, which logs to this run."""
        from runyard.tracking.writer import SummaryWriter  # late: only scripts that were written for it

        return SummaryWriter(run=self)

    # ---- around the training ----

    @property
    def checkpoint_dir(self) -> Path:
        """The folder for checkpoints; a resumed attempt finds there what the one before left."""
        self._folder.checkpoints.mkdir(parents=True, exist_ok=True)
        return self._folder.checkpoints

    @property
    def should_stop(self) -> bool:
        """Whether somebody asked the run to stop. Code that reads this decides itself when to leave."""
        self._decides_itself = True
        self._saw_stop = self._saw_stop or self._stop.is_set
        return self._stop.is_set

    def progress(self, items: Iterable[Item], total: float | None = None, label: str = "") -> Iterator[Item]:
        """Loop over `items` with a bar in the terminal; the index learns how far the run is, and so its ETA.

        `total` is `len(items)` if left out.
        """
        from runyard.tracking.progress import follow

        def tell(done: float, of: float) -> None:
            self._event(Progress(time_ns=time_ns(), done=done, total=of, label=label))

        return follow(items, total=total, label=label, tell=tell)

    # ---- the end ----

    def finish(self, exception: BaseException | None = None) -> None:
        """Record the end: completed, or failed with `exception`. Calling it again does nothing.

        `StopRun` and Ctrl-C are recorded as obeyed stops, `SystemExit` by its code.
        """
        if self._is_finished:
            return
        try:
            self._record_end(exception)
        except Exception as problem:  # one of the three places of STYLE.md: the end of a training must not fail for us
            self._survive(problem)
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, exception: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.finish(exception)

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.name!r} of {self.project!r}, attempt {self.attempt}>"

    def __reduce__(self) -> tuple[Any, ...]:  # pickle's protocol
        """A spawned process (a data loader's worker) that gets the run writes a stream of its own."""
        return _reopen, (str(self.dir), self.attempt, self._rank)

    def _record_end(self, exception: BaseException | None) -> None:
        if self._tells_the_end():
            self._event(self._ending(exception))

    def _ending(self, exception: BaseException | None) -> Event:
        """What tells that the training ended so."""
        if isinstance(exception, SystemExit) and not exception.code:
            exception = None
        if isinstance(exception, StopRun | KeyboardInterrupt):
            why = str(exception) if isinstance(exception, StopRun) else "interrupted at the keyboard"
            return StopObeyed(time_ns=time_ns(), reason=why, signalled=self._stop.is_set)
        if exception is not None:
            from runyard.tracking.failures import describe  # late: only a failing training needs it

            return describe(exception)
        if self._saw_stop:
            return StopObeyed(time_ns=time_ns(), reason="the code saw should_stop", signalled=self._stop.is_set)
        return Finished(time_ns=time_ns())

    def _abandon(self, exception: BaseException | None = None) -> None:
        """End without having been told to: the process leaves with `exception`, or another run begins."""
        self.finish(exception)


def current_run() -> Run | None:
    """The run of this process: attached or started, and not finished; else None."""
    return next((each for each in reversed(open_recordings) if isinstance(each, Run)), None)


def _reopen(folder: str, attempt: int, rank: int) -> Run:
    """Unpickle: in the process that has the run it is the same object, elsewhere one with a stream of its own."""
    for known in open_recordings:
        if isinstance(known, Run) and str(known.dir) == folder and known.attempt == attempt:
            return known
    run = Run(folder, attempt, spec=decode_spec(RunFolder(Path(folder)).spec.read_bytes()), rank=rank)
    run._stream = side_stream(run._stream)
    return run
