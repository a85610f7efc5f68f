"""`Run`: what training code holds.

`Run.log` is one dictionary lookup, one `struct.pack`, one CRC and one `write`. Everything unusual (new keys, a
stop request, a fork, a full disk, a value that is no number) makes that fast path fail on purpose, mostly by
emptying the dictionary, and is then dealt with in `_log_slowly`. There is no thread, no lock, no socket and no
database here, and nothing to wait for at exit: what a call has written is in the file.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import index
from pathlib import Path
from struct import Struct
from time import monotonic, sleep, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from zlib import crc32

from runyard.errors import StopRun, UsageError
from runyard.journal import Attempt, JournalWriter, RunFolder
from runyard.journal.events import (
    Configured,
    Event,
    FileLogged,
    Finished,
    Media,
    Noted,
    Opened,
    Progress,
    StopObeyed,
    Tagged,
    Warned,
)
from runyard.journal.format import RESIDUE
from runyard.records import RunSpec, decode_spec
from runyard.tracking.complaints import Complaints, caller, say
from runyard.tracking.series import DifferentSteps, Layout, SeriesBook
from runyard.tracking.stopping import StopSignal
from runyard.tracking.streams import open_stream, side_stream, stream_of_rank
from runyard.tracking.values import check_name, check_step, flatten, number

if TYPE_CHECKING:
    from runyard.tracking.predictions import Predictions
    from runyard.tracking.writer import SummaryWriter

Item = TypeVar("Item")
Encoded = tuple[bytes, dict[str, Any]]  # the bytes of a medium, and what is known about them

ROOM_WAIT_VARIABLE = "RUNYARD_ROOM_WAIT_S"
ROOM_WAIT_S = 60.0  # at the end of a training whose disk is full
_ROOM_LOOK_S = 0.2

_crc_bytes = Struct("<I").pack
_write = os.write


class Run:
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
        self._media_steps: dict[str, int] = {}
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

    # ---- other things to log ----

    def log_text(self, key: str, text: str, *, step: int | None = None) -> None:
        """Record a text, e.g. generated samples."""
        self._media(key, step, "text", "text/plain", lambda: (str(text).encode("utf-8", "replace"), {}))

    def log_image(self, key: str, image: Any, *, step: int | None = None, caption: str = "") -> None:
        """Record an image.

        `image` is an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), a tensor of PyTorch of shape (H, W)
        or (C, H, W), or a PIL image; uint8, or float from 0 to 1.
        """

        def encode() -> Encoded:
            from runyard.tracking.media.image import encode_image  # late, as all below: it needs NumPy

            data, meta = encode_image(image)
            return data, {**meta, "caption": caption} if caption else meta

        self._media(key, step, "image", "image/png", encode)

    def log_table(self, key: str, table: Any, *, step: int | None = None) -> None:
        """Record a table: a list of dicts, a dict of lists, or a frame of pandas or polars; a million cells at most."""

        def encode() -> Encoded:
            from runyard.tracking.media.table import encode_table

            return encode_table(table)

        self._media(key, step, "table", "application/json", encode)

    def log_histogram(
        self,
        key: str,
        values: Any = None,
        *,
        step: int | None = None,
        bins: int = 64,
        counts: Any = None,
        edges: Any = None,
    ) -> None:
        """Record how values are distributed: an array or tensor of any shape, or `counts` with one more of `edges`."""

        def encode() -> Encoded:
            from runyard.tracking.media.histogram import histogram_from, histogram_of

            if (values is None) == (counts is None and edges is None):
                raise UsageError("log_histogram takes either values, or counts and edges.")
            return histogram_of(values, bins=bins) if values is not None else histogram_from(counts, edges)

        self._media(key, step, "histogram", "application/json", encode)

    def log_confusion_matrix(
        self,
        key: str,
        matrix: Any = None,
        *,
        targets: Any = None,
        predictions: Any = None,
        labels: Sequence[Any] | None = None,
        step: int | None = None,
    ) -> None:
        """Record a confusion matrix (rows: targets, columns: predictions), or `targets` and `predictions` to count."""

        def encode() -> Encoded:
            from runyard.tracking.media.confusion_matrix import encode_matrix, encode_predictions

            if (matrix is None) == (targets is None or predictions is None):
                raise UsageError("log_confusion_matrix takes either a matrix, or targets and predictions.")
            if matrix is not None:
                return encode_matrix(matrix, labels=labels)
            return encode_predictions(targets, predictions, labels=labels)

        self._media(key, step, "confusion_matrix", "application/json", encode)

    def log_curve(
        self, key: str, x: Any, y: Any, *, x_label: str = "", y_label: str = "", step: int | None = None
    ) -> None:
        """Record a curve that is no series over steps, such as ROC: arrays, tensors or lists of equal length."""

        def encode() -> Encoded:
            from runyard.tracking.media.curve import encode_curve

            return encode_curve(x, y, x_label=x_label, y_label=y_label)

        self._media(key, step, "curve", "application/json", encode)

    def log_figure(self, key: str, figure: Any, *, step: int | None = None, dpi: int = 120) -> None:
        """Record a figure of Matplotlib as PNG; it stays open, so close it where you made it."""

        def encode() -> Encoded:
            from runyard.tracking.media.figure import encode_figure

            return encode_figure(figure, dpi=dpi)

        self._media(key, step, "figure", "image/png", encode)

    def log_predictions(
        self,
        targets: Any,
        predictions: Any = None,
        *,
        scores: Any = None,
        labels: Sequence[Any] | None = None,
        ids: Any = None,
        images: Any = None,
        paths: Sequence[Any] | None = None,
        ms: Any = None,
        times: Any = None,
        features: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what the model answered for each sample of an evaluation set; a later call replaces an earlier one.

        The customer's page and the report live on it: threshold, errors and comparison need no model then.

        Args:
            targets: the truth, shape (n,): class numbers, class names, or values of a regression.
            predictions: the answers, of the same kind; without them the class with the highest score.
            scores: shape (n, classes), or (n,) for the second of two classes; a score of 0.5 decides.
            labels: names of class 0, 1, ….
            ids: unique, and the same for the same sample in other runs; without them the times, the paths, the content
                of the images or the features, else numbers.
            images: as `log_image` takes them, n of them. Up to 400 become thumbnails, the worst answers first.
            paths: of the samples; where they are image files and `images` is left out, thumbnails come from them.
            ms: milliseconds a sample took: n of them, or one number for all.
            times: of the samples of a forecast, in order: n numbers or texts. Pages draw truth and answers over them.
            features: what tells people which sample it is, by name: columns of shape (n,), at most 60.
        """

        def found() -> "Predictions":
            from runyard.tracking.predictions import collect

            return collect(
                targets,
                predictions,
                scores=scores,
                labels=labels,
                ids=ids,
                images=images,
                paths=paths,
                ms=ms,
                times=times,
                features=features,
            )

        self._keep_predictions(found)

    def log_detections(
        self,
        targets: Any,
        found: Any,
        *,
        labels: Sequence[Any],
        ids: Any = None,
        images: Any = None,
        paths: Sequence[Any] | None = None,
        ms: Any = None,
    ) -> None:
        """As `log_predictions`, for models that find things in images.

        Args:
            targets: for each image what is in it, shape (k, 5): class number, left, top, right, bottom in pixels.
            found: for each image what the model found, shape (k, 6): the same and a score from 0 to 1. From 0.5 on a
                box is an answer; keep weaker ones as well (from 0.05, say), since the threshold is moved over them.
            labels: names of class 0, 1, ….
            ids, images, paths, ms: as for `log_predictions`.
        """

        def kept() -> "Predictions":
            from runyard.tracking.predictions import collect_boxes

            return collect_boxes(targets, found, labels=labels, ids=ids, images=images, paths=paths, ms=ms)

        self._keep_predictions(kept)

    def _keep_predictions(self, collected: Callable[[], "Predictions"]) -> None:
        self._raise_stop()
        try:
            if not self._is_open():
                return
            from runyard.tracking.predictions import FILE, KIND, write_predictions

            found = collected()
            self._attempt.files.mkdir(parents=True, exist_ok=True)
            write_predictions(found, self._attempt.files / FILE)
            meta = {"task": str(found.task), "samples": len(found), "classes": len(found.labels)}
            self._event(FileLogged(time_ns=time_ns(), name=FILE, kind=KIND, meta=meta))
        except Exception as problem:  # one of the three places of STYLE.md
            self._complaints.once(
                "predictions", f"{caller()}: the predictions could not be kept: {problem} Training goes on"
            )

    def log_artifact(self, path: "str | Path", name: str | None = None) -> None:
        """Keep a copy of a file, or of all files in a folder, under `name` (its own name if left out).

        Raises:
            UsageError: the name is absolute or leads out of its folder.
        """
        from runyard.tracking.files import check_file_name

        source = Path(path)
        self._keep_files(source, check_file_name(source.absolute().name if name is None else name), "artifact", {})

    def save_model(self, model: Any, name: str = "model", *, meta: "Mapping[str, Any] | None" = None) -> None:
        """Keep a model, without pickle: PyTorch as safetensors, scikit-learn as skops, a dict of NumPy arrays as npz.

        `meta` is JSON-like and goes into the model's manifest. `runyard.tracking.models.load_model` reads it back.
        Unlike the log calls this one raises what goes wrong: a run without its model must not look completed.

        Raises:
            UsageError: such a model cannot be saved without pickle, or the name leads out of its folder.
            MissingExtra: a package is needed for that.
            OSError: the disk is full.
        """
        import tempfile  # late, as the next: only runs that save a model need them

        from runyard.tracking.files import check_file_name, copy_into
        from runyard.tracking.models import save_model

        checked = check_file_name(name)
        self._attempt.files.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".model-", dir=self._attempt.files) as folder:
            manifest = save_model(model, folder, meta={**(meta or {}), "run": self.id, "attempt": self.attempt})
            about = {"framework": manifest.framework, "type": manifest.type}
            for kept in copy_into(self._attempt.files, Path(folder), checked):
                self._event(FileLogged(time_ns=time_ns(), name=kept, kind="model", meta=about))

    def _keep_files(self, source: Path, name: str, kind: str, meta: dict[str, Any]) -> None:
        from runyard.tracking.files import copy_into

        try:
            if self._is_open():
                for kept in copy_into(self._attempt.files, source, name):
                    self._event(FileLogged(time_ns=time_ns(), name=kept, kind=kind, meta=meta))
        except Exception as problem:  # one of the three places of STYLE.md
            self._complaints.once(("file", name), f"{caller()}: {problem} Training goes on")

    def _media(self, key: str, step: int | None, kind: str, mime: str, encode: Callable[[], Encoded]) -> None:
        """Record what `encode` gives; without a step the series of this key goes on by one."""
        self._raise_stop()
        check_name(key)
        at = self._media_steps.get(key, -1) + 1 if step is None else check_step(step)
        try:
            data, meta = encode()
            if self._is_open():
                assert self._writer is not None  # _is_open said so
                media = Media(time_ns=time_ns(), key=key, step=at, kind=kind, mime=mime, data=data, meta=meta)
                self._writer.event(media)
                self._media_steps[key] = at
                self._settle()
        except Exception as problem:  # one of the three places of STYLE.md
            self._complaints.once(
                ("media", key), f"{caller()}: the {kind} {key!r} could not be logged: {problem} Training goes on"
            )

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

    @property
    def is_finished(self) -> bool:
        """Whether the end was recorded; nothing can be logged after it."""
        return self._is_finished

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
        if not self._tells_the_end():
            return
        if isinstance(exception, SystemExit) and not exception.code:
            exception = None
        if isinstance(exception, StopRun | KeyboardInterrupt):
            why = str(exception) if isinstance(exception, StopRun) else "interrupted at the keyboard"
            self._event(StopObeyed(time_ns=time_ns(), reason=why, signalled=self._stop.is_set))
        elif exception is not None:
            from runyard.tracking.failures import describe  # late: only a failing training needs it

            self._event(describe(exception))
        elif self._saw_stop:
            reason = "the code saw should_stop"
            self._event(StopObeyed(time_ns=time_ns(), reason=reason, signalled=self._stop.is_set))
        else:
            self._event(Finished(time_ns=time_ns()))

    def _tells_the_end(self) -> bool:
        """Whether this process speaks for the run (or its rank): a forked or spawned helper does not."""
        return self._pid == os.getpid() and self._stream == stream_of_rank(self._rank)

    def _close(self) -> None:
        self._is_finished = True
        self._layouts_away()
        self._stop.restore()
        if self in _open_runs:
            _open_runs.remove(self)
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
        if self not in _open_runs:
            _open_runs.append(self)

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


_open_runs: list[Run] = []  # of this process, oldest first


def current_run() -> Run | None:
    """The run of this process: attached or started, and not finished; else None."""
    return _open_runs[-1] if _open_runs else None


def _forked() -> None:
    for run in _open_runs:
        run._after_fork()


os.register_at_fork(after_in_child=_forked)


def _reopen(folder: str, attempt: int, rank: int) -> Run:
    """Unpickle: in the process that has the run it is the same object, elsewhere one with a stream of its own."""
    for known in _open_runs:
        if str(known.dir) == folder and known.attempt == attempt:
            return known
    run = Run(folder, attempt, spec=decode_spec(RunFolder(Path(folder)).spec.read_bytes()), rank=rank)
    run._stream = side_stream(run._stream)
    return run


def _number_from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdigit() else default


def _has_entries(folder: Path) -> bool:
    try:
        return bool(os.listdir(folder))
    except OSError:
        return False
