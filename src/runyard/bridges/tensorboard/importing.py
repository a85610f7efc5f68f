"""From event files to runs: each folder that holds event files is a run, as it is for TensorBoard.

What is there is read once; following goes on from the byte that was read last. How far an import came is told by the
runs themselves: points and pictures that are known are not brought again.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from runyard.bridges import intake
from runyard.bridges.intake import Arriving, Foreign
from runyard.bridges.tensorboard import columns
from runyard.bridges.tensorboard.framing import Block, RecordFile
from runyard.bridges.tensorboard.messages import (
    FAILURE,
    Event,
    Histogram,
    Hyperparameters,
    Number,
    Picture,
    Reader,
    SessionEnd,
    Text,
)
from runyard.bridges.tensorboard.protobuf import NotAMessage
from runyard.client import Client
from runyard.errors import JournalDamaged, NotFound
from runyard.records import RunState
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


def folders_of(root: Path) -> list[Path]:
    """All folders below (and including) `root` that hold event files, by name.

    Raises:
        NotFound: there are none.
    """
    found = sorted({file.parent for file in root.rglob(PATTERN) if file.is_file()})
    if not found:
        raise NotFound(f"{root} holds no event files of TensorBoard (events.out.tfevents…).")
    return found


def import_folder(
    client: Client, root: Path, *, project: str, progress: Progress = lambda *_: None, follow: bool = False
) -> Report:
    """Bring all that lies below a folder.

    With `follow` a run whose files were written to in the last ten minutes stays open; see `Follower` for going on.
    """
    report = Report()
    follower = Follower(client, root, project=project)
    follower.look(report, progress=progress, is_last=not follow)
    return report


class Follower:
    """Brings what lies below a folder, and at each further look what was added."""

    def __init__(self, client: Client, root: Path, *, project: str) -> None:
        """Nothing is read before the first `look`."""
        self._client = client
        self._root = root
        self._project = project
        self._runs: dict[Path, _Incoming] = {}

    def look(self, report: Report, *, progress: Progress = lambda *_: None, is_last: bool = False) -> int:
        """Bring what is new; return how many bytes that was. `is_last`: nobody will look again, so all runs end.

        Raises:
            NotFound: there are no event files.
        """
        for folder in (folders := folders_of(self._root)):
            if folder not in self._runs:
                self._runs[folder] = _Incoming(self._client, folder, self._name(folder), self._project)
        total = sum(incoming.bytes_left() for incoming in self._runs.values())
        done = 0
        for folder in folders:
            incoming = self._runs[folder]
            if incoming.is_done:
                continue
            for read in incoming.read(report):
                done += read
                progress(done, max(total, done), incoming.name)
            incoming.settle(report, is_last=is_last)
        return done

    def _name(self, folder: Path) -> str:
        relative = folder.relative_to(self._root).as_posix()
        return self._root.resolve().name if relative == "." else relative


class _Incoming:
    """One folder of event files on its way to a run."""

    def __init__(self, client: Client, folder: Path, name: str, project: str) -> None:
        self.name = name
        self._client = client
        self._folder = folder
        self._project = project
        self._files: dict[Path, RecordFile] = {}
        self._broken: set[Path] = set()
        self._readers: dict[Path, Reader] = {}
        self._arriving: Arriving | None = None
        self._passed: dict[str, int] = {}  # how many points of each tag were met that the run had before
        self._first_s, self._last_s = math.inf, 0.0
        self._state: RunState | None = None
        self.is_done = False

    def bytes_left(self) -> int:
        return sum(
            max(path.stat().st_size - (self._files[path].offset if path in self._files else 0), 0)
            for path in self._paths()
            if path not in self._broken
        )

    def read(self, report: Report) -> Iterator[int]:
        """Bring what the files hold beyond what was read; yields the bytes as they are done."""
        for path in self._paths():
            if path in self._broken:
                continue
            file = self._files.setdefault(path, RecordFile(path))
            reader = self._readers.setdefault(path, Reader())
            before = file.offset
            try:
                for block in file.blocks():
                    if self._arriving is not None and self._arriving.is_complete:
                        return
                    report.points += self._take(block, reader, path, report)
                    yield file.offset - before
                    before = file.offset
            except (JournalDamaged, OSError) as problem:
                self._broken.add(path)
                report.skipped.append(str(problem))

    def settle(self, report: Report, *, is_last: bool) -> None:
        """Deliver what was read, and tell the end if there is one."""
        run = self._arriving
        if run is None or self.is_done:
            return
        is_quiet = time.time() - max(path.stat().st_mtime for path in self._paths()) > QUIET_S
        if self._state is not None or is_last or is_quiet:
            state = self._state or RunState.COMPLETED
            reason = "" if self._state else "its event files tell no end"
            for path, file in self._files.items():
                left = path.stat().st_size - file.offset
                if left and path not in self._broken:
                    report.skipped.append(f"{path} ends in the middle of a record: its last {left:,} bytes.")
            run.end(state, at=_moment(self._last_s), reason=reason)
            self.is_done = True
        run.close()

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._folder.glob(PATTERN) if path.is_file())

    def _take(self, block: Block, reader: Reader, path: Path, report: Report) -> int:
        """Bring a block of records; return how many points were new."""
        found = list(columns.scalars(block))
        in_columns = np.zeros(len(block.starts), bool)
        for points in found:
            in_columns[points.records] = True
        events: list[Event] = []
        for index in np.flatnonzero(~in_columns).tolist():
            try:
                if not block.is_whole(index):
                    raise NotAMessage("its checksum is another one")
                event = reader.event(block.record(index))
            except NotAMessage as problem:
                size = block.sizes[index]
                report.skipped.append(f"{path}: a record of {size:,} bytes was skipped: {problem}.")
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
        new = 0
        for points in columns.by_tag(found):
            new += self._points(run, points)
            self._last_s = max(self._last_s, float(points.times_ns.max()) / 1e9)
        for event in events:
            self._last_s = max(self._last_s, event.time_s)
            self._event(run, event, report, path)
        return new

    def _run(self, events: list[Event], found: list[columns.Points], report: Report) -> Arriving | None:
        """The run that all goes to, made when something is said. None: nothing was yet, or it is here, whole."""
        if self._arriving is None:
            times = [event.time_s for event in events if event.time_s > 0]
            times += [float(points.times_ns.min()) / 1e9 for points in found]
            self._first_s = min([*times, self._first_s])
            if not found and not any(event.said for event in events):
                return None  # a file that only names its version
            began = _moment(self._first_s)
            self._arriving = intake.begin(
                self._client,
                Foreign(
                    source=f"tensorboard:{self._folder.resolve()}",
                    project=self._project,
                    name=self.name,
                    created_at=began,
                    started_at=began,
                ),
            )
            if self._arriving.is_complete and not self._arriving.is_new:
                self.is_done = True
                report.untouched += 1
            else:
                report.runs.append(self._arriving.id)
                report.new += self._arriving.is_new
        return None if self.is_done else self._arriving

    def _points(self, run: Arriving, points: columns.Points) -> int:
        key = _key(points.tag)
        known = 0 if run.is_new else run.known.points.get(key, 0)
        passed = self._passed.get(key, 0)
        skip = min(max(known - passed, 0), len(points.steps))
        self._passed[key] = passed + len(points.steps)
        run.points(key, points.steps[skip:], points.values[skip:], points.times_ns[skip:])
        return len(points.steps) - skip

    def _event(self, run: Arriving, event: Event, report: Report, path: Path) -> None:
        """Bring what of an event is no number."""
        for plugin in event.unknown:
            note = f"{path}: what the plugin {plugin!r} shows has no place in a run and was left out."
            if note not in report.skipped:
                report.skipped.append(note)
        for said in event.said:
            match said.content:
                case Hyperparameters(values):
                    run.configure(values, at=_moment(event.time_s))
                case SessionEnd(status):
                    self._state = RunState.FAILED if status == FAILURE else RunState.COMPLETED
                case Picture(data, number) if mime := _mime(data):
                    self._media(run, f"{said.tag}/{number}" if number else said.tag, event, "image", mime, data)
                case Picture():
                    place = f"the picture {said.tag!r} at step {event.step}"
                    report.skipped.append(f"{path}: {place} is neither PNG, JPEG nor GIF.")
                case Text(text):
                    self._media(run, said.tag, event, "text", "text/plain", text.encode())
                case Histogram(counts, edges):
                    data, meta = histogram_from(counts, edges)
                    self._media(run, said.tag, event, "histogram", "application/json", data, meta)
                case Number():
                    pass  # brought with the other points

    def _media(
        self, run: Arriving, tag: str, event: Event, kind: str, mime: str, data: bytes, meta: Mapping[str, Any] = {}
    ) -> None:
        key = _key(tag)
        if run.is_new or (key, event.step) not in run.known.media:
            run.media(key, data, step=event.step, kind=kind, mime=mime, at=_moment(event.time_s), meta=meta)


def _key(tag: str) -> str:
    """The name of a series: what cannot be in one becomes a space."""
    return "".join(each if each.isprintable() else " " for each in tag).strip()[:MAX_NAME_LENGTH] or "untitled"


def _mime(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg"
    return "image/gif" if data.startswith(b"GIF8") else ""


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
