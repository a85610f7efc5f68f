"""From event files to runs: each folder that holds event files is a run, as it is for TensorBoard.

What is there is read once; following goes on from the byte that was read last. How far an import came is told by the
runs themselves: points and pictures that are known are not brought again.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from runyard.bridges import intake
from runyard.bridges.intake import Arriving, Came, Foreign
from runyard.bridges.kinds import kind_of, mime_of
from runyard.bridges.protobuf import NotAMessage
from runyard.bridges.tensorboard import columns
from runyard.bridges.tensorboard.framing import Block, RecordFile
from runyard.bridges.tensorboard.messages import (
    FAILURE,
    Event,
    Histogram,
    Hyperparameters,
    Number,
    Picture,
    PrecisionRecall,
    Reader,
    SessionEnd,
    Sound,
    Text,
)
from runyard.client import Client
from runyard.errors import JournalDamaged, NotFound, UsageError
from runyard.records import RunState
from runyard.tracking.media.curve import encode_curve
from runyard.tracking.media.histogram import histogram_from
from runyard.tracking.values import MAX_NAME_LENGTH

PATTERN = "*tfevents*"
QUIET_S = 600.0  # a file that nobody wrote to for so long belongs to a training that has ended

Progress = Callable[[int, int, str], None]  # bytes done, bytes in all, the run


@dataclass
class Report:
    """What came of an import.

    Attributes:
        runs: ids of the runs that were made or gone on with.
        new: how many of them were made.
        untouched: how many were here already, whole.
        points: how many points were new.
        skipped: what could not be read, each with its place.
    """

    runs: list[str] = field(default_factory=list)
    new: int = 0
    untouched: int = 0
    points: int = 0
    skipped: list[str] = field(default_factory=list)


def import_folder(
    client: Client, root: Path, *, project: str, progress: Progress = lambda *_: None, follow: bool = False
) -> Report:
    """Bring all that lies below a folder; what is here already is left out.

    With `follow` a run whose files were written to in the last ten minutes stays open; see `Follower` for going on.

    Raises:
        NotFound: there are no event files.
    """
    report = Report()
    follower = Follower(client, root, project=project)
    follower.look(report, progress=progress, is_last=not follow)
    return report


class Follower:
    """Brings what lies below a folder, and at each further look what was added, new files and folders included."""

    def __init__(self, client: Client, root: Path, *, project: str) -> None:
        """Nothing is read before the first `look`."""
        self._client = client
        self._root = root
        self._project = project
        self._runs: dict[Path, _Incoming] = {}

    def look(self, report: Report, *, progress: Progress = lambda *_: None, is_last: bool = False) -> int:
        """Bring what is new; return how many bytes that was. `is_last`: nobody will look again, so all runs end.

        Raises:
            NotFound: there are no event files, and never were.
        """
        for folder in _folders_of(self._root):
            if folder not in self._runs:
                self._runs[folder] = _Incoming(self._client, folder, self._name(folder), self._project)
        if not self._runs:
            raise NotFound(f"{self._root} holds no event files of TensorBoard (events.out.tfevents…).")
        total = sum(incoming.bytes_left() for incoming in self._runs.values())
        done = 0
        for incoming in self._runs.values():
            for read in incoming.read(report):
                done += read
                progress(done, max(total, done), incoming.name)
            incoming.settle(report, is_last=is_last)
        return done

    def _name(self, folder: Path) -> str:
        relative = folder.relative_to(self._root).as_posix()
        return self._root.resolve().name if relative == "." else relative


def _folders_of(root: Path) -> list[Path]:
    """All folders below (and including) `root` that hold event files, by name."""
    return sorted({file.parent for file in root.rglob(PATTERN) if file.is_file()})


class _File:
    """One event file: how far it was read, and what of the rest was brought at an earlier import."""

    def __init__(self, path: Path, came: Came) -> None:
        self.path = path
        self.records = RecordFile(path, came.offset)
        self.reader = Reader(came.told)
        self.came = came
        self.told = dict(came.told)  # what of the reader's memory is in the journal
        self.problem = ""  # why it could not be read further

    def bytes_left(self) -> int:
        try:
            return max(self.path.stat().st_size - self.records.offset, 0)
        except OSError:  # it went away, perhaps for a moment
            return 0


class _Incoming:
    """One folder of event files on its way to a run."""

    def __init__(self, client: Client, folder: Path, name: str, project: str) -> None:
        self.name = name
        self._client = client
        self._folder = folder
        self._project = project
        self._source = f"tensorboard:{folder.resolve()}"
        self._files: dict[Path, _File] = {}
        self._first_s, self._last_s = math.inf, 0.0
        self._state: RunState | None = None
        self._arriving: Arriving | None = None
        self._is_ended = self._is_trashed = self._is_reported = False
        self._untold: Came | None = None
        run_id = intake.find(client, project, self._source)
        if run_id is not None:
            row = client.index.get(run_id)
            self._is_ended, self._is_trashed = row.state.is_ended, row.trashed
            self._arriving = self._begin(row.started_at or row.created_at)

    def bytes_left(self) -> int:
        return 0 if self._is_trashed else sum(file.bytes_left() for file in self._seen())

    def read(self, report: Report) -> Iterator[int]:
        """Bring what the files hold beyond what was read; yields the bytes as they are done."""
        if self._is_trashed:
            return
        for file in self._seen():
            before = begin = file.records.offset
            file.problem = ""
            try:
                for block in file.records.blocks():
                    report.points += self._take(block, before, file, report)
                    yield file.records.offset - before
                    before = file.records.offset
            except (JournalDamaged, OSError) as problem:
                file.problem = str(problem)  # looked at again: a network's file may have holes for a while
            if before > begin and self._arriving is not None:
                self._mark(self._arriving, file, before)

    def settle(self, report: Report, *, is_last: bool) -> None:
        """Deliver what was read, and tell the end if there is one."""
        run = self._arriving
        if run is None:
            if is_last:
                self._list_problems(report)
            return
        if self._is_ended or self._is_trashed:
            if not self._is_reported:
                report.untouched += 1
                self._is_reported = True
                self._list_problems(report)
            return
        if self._state is not None or is_last or self._is_quiet():
            self._report(run, report)
            state = self._state or RunState.COMPLETED
            reason = "" if self._state else "its event files tell no end"
            self._list_problems(report)
            run.end(state, at=self._heard(run), reason=reason)
            self._is_ended = True
        run.close()

    def _seen(self) -> list[_File]:
        """The files that are there, in the order of their names."""
        for path in sorted(path for path in self._folder.glob(PATTERN) if path.is_file()):
            if path not in self._files:
                self._files[path] = _File(path, self._came(path))
        return [self._files[path] for path in sorted(self._files)]

    def _came(self, path: Path) -> Came:
        """What of a file was brought at an earlier import."""
        if self._arriving is None:
            return Came()
        known = self._arriving.known
        if known.sources:
            return known.sources.get(path.name, Came())
        # an import from before files were told: its points are those of all files, one after the other
        self._untold = self._untold or Came(points=dict(known.points), media=set(known.media))
        return replace(self._untold)

    def _is_quiet(self) -> bool:
        try:
            times = [path.stat().st_mtime for path in self._files]
        except OSError:
            return False
        return time.time() - max(times, default=math.inf) > QUIET_S

    def _list_problems(self, report: Report) -> None:
        for file in self._files.values():
            if file.problem:
                report.skipped.append(file.problem)
            elif left := file.bytes_left():
                report.skipped.append(f"{file.path} ends in the middle of a record: its last {left:,} bytes.")

    def _heard(self, run: Arriving) -> datetime:
        """When something was last said."""
        return _moment(self._last_s or run.known.last_ns / 1e9)

    def _report(self, run: Arriving, report: Report) -> None:
        """List the run among those that something was brought to."""
        if not self._is_reported:
            self._is_reported = True
            report.runs.append(run.id)
            report.new += run.is_new

    def _mark(self, run: Arriving, file: _File, offset: int) -> None:
        """Tell how far a file was brought, for whoever goes on with it."""
        plugins = file.reader.plugins
        told = {tag: plugins[tag] for tag in plugins if tag not in file.told}
        file.told |= told
        run.brought(file.path.name, offset, at=self._heard(run), told=told)

    def _take(self, block: Block, offset: int, file: _File, report: Report) -> int:
        """Bring a block of records that begins at a byte of its file; return how many points were new."""
        found = list(columns.scalars(block))
        in_columns = np.zeros(len(block.starts), bool)
        for points in found:
            in_columns[points.records] = True
        events: list[Event] = []
        for index in np.flatnonzero(~in_columns).tolist():
            try:
                if not block.is_whole(index):
                    raise NotAMessage("its checksum is another one")
                event = file.reader.event(block.record(index))
            except NotAMessage as problem:
                size = block.sizes[index]
                report.skipped.append(f"{file.path}: a record of {size:,} bytes was skipped: {problem}.")
                continue
            events.append(event)
            found += [
                columns.one(said.tag, event.step, said.content.value, event.time_s, index)
                for said in event.said
                if isinstance(said.content, Number)
            ]
        run = self._run(events, found, report)
        if run is None:
            return 0
        self._mark(run, file, offset)
        new = 0
        for points in columns.by_tag(found):
            new += self._points(run, points, file)
            self._last_s = max(self._last_s, float(points.times_ns.max()) / 1e9)
        for event in events:
            self._last_s = max(self._last_s, event.time_s)
            self._event(run, event, report, file)
        return new

    def _run(self, events: list[Event], found: list[columns.Points], report: Report) -> Arriving | None:
        """The run that all goes to, made when something is said. None: nothing was yet."""
        if not found and not any(event.said or event.unknown for event in events):
            return self._arriving if self._is_reported else None  # a file that only names its version
        times = [event.time_s for event in events if event.time_s > 0]
        times += [float(points.times_ns.min()) / 1e9 for points in found]
        self._first_s = min([*times, self._first_s])
        if self._arriving is None:
            self._arriving = self._begin(_moment(self._first_s))
        elif self._is_ended:
            self._arriving.go_on(at=_moment(min(times, default=0)))
            self._is_ended = self._is_reported = False
        self._report(self._arriving, report)
        return self._arriving

    def _begin(self, began: datetime) -> Arriving:
        return intake.begin(
            self._client,
            Foreign(source=self._source, project=self._project, name=self.name, created_at=began, started_at=began),
        )

    def _points(self, run: Arriving, points: columns.Points, file: _File) -> int:
        key = _key(points.tag)
        skip = min(file.came.points.get(key, 0), len(points.steps))
        if skip:
            file.came.points[key] -= skip
        run.points(key, points.steps[skip:], points.values[skip:], points.times_ns[skip:])
        return len(points.steps) - skip

    def _event(self, run: Arriving, event: Event, report: Report, file: _File) -> None:
        """Bring what of an event is no number."""
        for plugin in event.unknown:
            note = f"{file.path}: what the plugin {plugin!r} shows has no place in a run and was left out."
            if note not in report.skipped:
                report.skipped.append(note)
        for said in event.said:
            match said.content:
                case Hyperparameters(values):
                    run.configure(values, at=_moment(event.time_s))
                case SessionEnd(status):
                    self._state = RunState.FAILED if status == FAILURE else RunState.COMPLETED
                case Picture(data, number) | Sound(data, number) if kind := kind_of(mime := mime_of(data)):
                    self._media(run, file, f"{said.tag}/{number}" if number else said.tag, event, kind, mime, data)
                case Picture() | Sound():
                    what = "picture" if isinstance(said.content, Picture) else "sound"
                    place = f"the {what} {said.tag!r} at step {event.step}"
                    report.skipped.append(f"{file.path}: {place} is of no format that a browser knows.")
                case Text(text):
                    self._media(run, file, said.tag, event, "text", "text/plain", text.encode())
                case Histogram(counts, edges):
                    data, meta = histogram_from(counts, edges)
                    self._media(run, file, said.tag, event, "histogram", "application/json", data, meta)
                case PrecisionRecall(precision, recall):
                    try:
                        data, meta = encode_curve(recall, precision, x_label="recall", y_label="precision")
                    except UsageError as problem:
                        report.skipped.append(f"{file.path}: the curve {said.tag!r} at step {event.step}: {problem}")
                        continue
                    self._media(run, file, said.tag, event, "curve", "application/json", data, meta)
                case Number():
                    pass  # brought with the other points

    def _media(
        self,
        run: Arriving,
        file: _File,
        tag: str,
        event: Event,
        kind: str,
        mime: str,
        data: bytes,
        meta: Mapping[str, Any] = {},
    ) -> None:
        key = _key(tag)
        if (key, event.step) in file.came.media:
            file.came.media.remove((key, event.step))
        else:
            run.media(key, data, step=event.step, kind=kind, mime=mime, at=_moment(event.time_s), meta=meta)


def _key(tag: str) -> str:
    """The name of a series: what cannot be in one becomes a space."""
    return "".join(each if each.isprintable() else " " for each in tag).strip()[:MAX_NAME_LENGTH] or "untitled"


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
