"""Where foreign data becomes runs: the one door for everything that another tracker recorded.

    with begin(client, Foreign(source="sacred:mongodb://lab/weld/17", project="weld", …)) as run:
        if run.is_complete:
            continue                                     # it is here already, whole, or somebody deleted it
        run.points("loss", steps, values, times_ns)      # only those behind run.known.points["loss"]
        run.file("model.pt", path)
        run.end(RunState.COMPLETED, at=stopped_at)

A run's id follows from its source and its project, so that importing twice finds the first run again. What arrived is
journalled like that of any run and goes through the client, so that a home and a server take it alike. Nothing is kept
anywhere else: an import that was broken off goes on from what the journals hold (`known`), and so does a second import
of a run that still ran at the first.

The rules for whoever uses it:

- `source` names the original for good: kind, place and id there, without a password. Two originals never share one.
- Order matters within a series only. Points that are `known` are left out by the caller, who alone knows their order.
- Times are those of the original. Tags and notes carry them, so that what people changed here later stays.
- A run without `end` stays RUNNING, and is LOST when nothing was heard of it for long; so tell how it ended.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runyard.client import Client, intake
from runyard.client.remote import RemoteClient
from runyard.config.identity import identify_stored
from runyard.errors import ConflictError, JournalDamaged, UsageError
from runyard.index.rows import to_ns
from runyard.journal import HOST, MAIN, EncodedJournal
from runyard.journal.events import (
    ArtifactStored,
    Brought,
    Configured,
    Ended,
    Environment,
    Event,
    Failed,
    Labelled,
    Media,
    Noted,
    Opened,
    Output,
    Started,
    Tagged,
    Warned,
)
from runyard.journal.pieces import Piece, Receipt
from runyard.journal.reader import Decoder, EventAt, Rows
from runyard.records import CodeState, RunId, RunSpec, RunState, run_id_from
from runyard.tracking.values import MAX_NAME_LENGTH

Ints = Sequence[int] | NDArray[np.int64]
Floats = Sequence[float] | NDArray[np.float64]

_ATTEMPT = 1
_PIECE_BYTES = 4 << 20  # one transaction each
_POINTS = 1 << 16  # that become records at once
_OUTPUT_CHARS = 1 << 20  # of one record
_LONGEST_SOURCE = 2000
_LONGEST_NAME = 300
_CLASHES = 8  # ids that are tried before giving up; one in 2,000 imports of a million runs needs a second
_LARGEST_NS = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A run as another system knows it when it begins. Times are aware, UTC.

    Attributes:
        source: where it is kept there, such as "mlflow:http://host/3/6f0c…"; at most 2,000 characters.
        config: nested mappings of JSON-like values.
        created_at: when it was asked for.
        started_at: when it began to execute; None: it never did, and waits there.
        parent: the `source` of the run that started it, in the same project.
    """

    source: str
    project: str
    name: str
    created_at: datetime
    started_at: datetime | None
    experiment: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    parent: str | None = None
    user: str = ""
    host: str = ""
    command: tuple[str, ...] = ()
    entry: str = ""
    commit: str | None = None
    branch: str | None = None
    is_dirty: bool = False
    device_names: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Came:
    """How far a file of another tracker was brought: to `offset`, and of what follows there what is listed.

    Attributes:
        points: how many of each series, by its key.
        media: key and step of images, tables and the like.
        told: what its reader had to remember.
    """

    offset: int = 0
    points: dict[str, int] = field(default_factory=dict)
    media: set[tuple[str, int]] = field(default_factory=set)
    told: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Known:
    """What of a run arrived before: nothing of this needs to be brought again.

    Attributes:
        points: how many of each series, by its key.
        files: SHA-256 of each stored file, by its name.
        media: key and step of images, tables and the like.
        output_chars: length of what it printed.
        state: how it had ended when it was last told.
        sources: of the files that were told by `Arriving.brought`, how far each one came.
        last_ns: the latest time of a point or a picture; 0 if there is none.
    """

    points: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    media: set[tuple[str, int]] = field(default_factory=set)
    output_chars: int = 0
    state: str | None = None
    sources: dict[str, Came] = field(default_factory=dict)
    last_ns: int = 0


@dataclass(kw_only=True)
class Imported:
    """What became of all runs of an import.

    Attributes:
        new: how many were made; `continued`: gone on with; `known`: here already, whole.
        points: how many points were brought, where that is counted.
        problems: a sentence for each thing that could not be read, with its place.
    """

    new: int = 0
    continued: int = 0
    known: int = 0
    points: int = 0
    problems: list[str] = field(default_factory=list)


def run_id_of(project: str, source: str, clash: int = 0) -> RunId:
    """The id that a foreign run has here; `clash` counts the ids before it that other runs have."""
    return run_id_from(hashlib.sha256(f"{project}\0{source}\0{clash}".encode(errors="replace")).digest())


def find(client: Client, project: str, source: str) -> RunId | None:
    """The run that came from a source; None if it is not here."""
    for clash in range(_CLASHES):
        run_id = run_id_of(project, source, clash)
        if not client.index.known([run_id]):
            return None
        if client.index.get(run_id).source == source:
            return run_id
    return None


def begin(client: Client, foreign: Foreign) -> "Arriving":
    """Take in a foreign run: make it, or go on with the one that came from the same source.

    Raises:
        UsageError: the source is empty or too long, or project or name cannot be those of a run.
        ConflictError: ids clash, which is as good as impossible.
        NotAllowed: the project is not open to whoever this client acts for.
        OSError: the disk did not take it.
    """
    if not 1 <= len(foreign.source) <= _LONGEST_SOURCE:
        raise UsageError(f"A source has 1 to {_LONGEST_SOURCE:,} characters, not {len(foreign.source):,}.")
    known = find(client, foreign.project, foreign.source)
    if known is not None:
        _understand(client, known)
        return Arriving(client, known, foreign, is_new=False)
    spec = _spec(client, foreign)
    client.announce([spec], into_queue=False)
    return Arriving(client, spec.id, foreign, is_new=True)


def _understand(client: Client, run_id: RunId) -> None:
    """Let the index understand what an import wrote that was killed before it told; it counts as known, too."""
    if isinstance(client, RemoteClient):
        return  # its server looks by itself
    offsets = client.index.offsets({run_id})
    attempt = client.folder(run_id).attempt(_ATTEMPT)
    for stream in (MAIN, HOST):
        journal = attempt.journal(stream)
        if journal.exists() and journal.stat().st_size != offsets.get((run_id, _ATTEMPT, stream), 0):
            client.index.catch_up(run_id)
            return


class Arriving:
    """A run on its way in. What is given to it is delivered in large pieces, and all of it by `close`.

    As a context manager it closes itself; an exception leaves the run as far as it came, to be gone on with.

    Attributes:
        id: of the run here.
        is_new: whether this import made it.
        is_complete: whether it is here and has ended, or somebody deleted it, so that it can be left alone.
    """

    def __init__(self, client: Client, run_id: RunId, foreign: Foreign, *, is_new: bool) -> None:
        self.id = run_id
        self.is_new = is_new
        self._client = client
        self._foreign = foreign
        self._known: Known | None = Known() if is_new else None
        row = None if is_new else client.index.get(run_id)
        self.is_complete = row is not None and (row.trashed or row.state.is_ended)
        self._courier = _Courier(client)
        self._streams = {name: _Stream(client, run_id, name, self._courier) for name in (MAIN, HOST)}
        self._main, self._host = self._streams[MAIN], self._streams[HOST]
        self._last_ns = _ns(foreign.started_at or foreign.created_at)
        if foreign.started_at is not None and (row is None or row.attempt == 0):
            self._tell_start(foreign.started_at)

    def __enter__(self) -> "Arriving":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    @property
    def known(self) -> Known:
        """What arrived before this import; reads the journals at the first call, of a server through the network."""
        if self._known is None:
            self._known = _known(self._client, self.id)
        return self._known

    # ---- what it logged ----

    def points(self, key: str, steps: Ints, values: Floats, times_ns: Ints, *, host: bool = False) -> None:
        """Add points of a series, in the order in which they were logged; the three have one length.

        Args:
            times_ns: nanoseconds since 1970, UTC.
            host: what the machine did (`sys/…`), rather than what the training said.
        """
        if not len(steps):
            return
        stream = self._host if host else self._main
        for begin in range(0, len(steps), _POINTS):
            part = slice(begin, begin + _POINTS)
            times = _all_bounded(times_ns[part])
            self._last_ns = max(self._last_ns, int(times.max()))
            stream.journal.points(key, steps[part], times, values[part])
            stream.flush_if_large()

    def row(self, values: Mapping[str, float], *, step: int, time_ns: int, host: bool = False) -> None:
        """Add points of several series that belong to one step and one time: a third of the bytes of `points`."""
        stream = self._host if host else self._main
        self._last_ns = max(self._last_ns, time_ns)
        stream.journal.row(tuple(values), step, _bounded(time_ns), tuple(values.values()))
        stream.flush_if_large()

    def media(
        self, key: str, data: bytes, *, step: int, kind: str, mime: str, at: datetime, meta: Mapping[str, Any] = {}
    ) -> None:
        """Add an image, table or the like; kinds as in `journal.events.Media`."""
        event = Media(time_ns=_ns(at), key=key, step=step, kind=kind, mime=mime, data=data, meta=dict(meta))
        self._tell(self._main, event)

    def output(self, text: str, *, at: datetime) -> None:
        """Add what it printed; call it with what follows `known.output_chars`."""
        for begin in range(0, len(text), _OUTPUT_CHARS):
            self._tell(self._host, Output(time_ns=_ns(at), text=text[begin : begin + _OUTPUT_CHARS]))

    def file(
        self,
        name: str,
        content: Path | bytes,
        *,
        at: datetime,
        kind: str = "artifact",
        meta: Mapping[str, Any] | None = None,
    ) -> str:
        """Store a file; return its SHA-256. The same content under the same name is stored once.

        Args:
            name: relative, with `/`; what would lead elsewhere is refused.
            kind: "artifact", "model" or "dataset".

        Raises:
            UsageError: the name is none.
            OSError: the file cannot be read, or there is no room.
        """
        checked_name(name)
        store = self._client.artifacts
        sha256 = store.put_bytes(content) if isinstance(content, bytes) else store.put_file(content)
        if self.known.files.get(name) != sha256:
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            event = ArtifactStored(
                time_ns=_ns(at), name=name, sha256=sha256, size_bytes=size, kind=kind, meta=dict(meta or {})
            )
            self._tell(self._host, event)
            self.known.files[name] = sha256
        return sha256

    def brought(self, source: str, offset: int, *, at: datetime, told: Mapping[str, str] = {}) -> None:
        """Say that what is added next comes from a file from this byte on, so that a broken import finds its place.

        Args:
            source: the file's name, the same at each import; see `Known.sources`.
            told: what its reader must remember of the bytes before, besides what was told earlier.
        """
        self._tell(self._main, Brought(time_ns=_ns(at), source=source, offset=offset, told=dict(told)))

    # ---- what is said about it ----

    def go_on(self, *, at: datetime) -> None:
        """Say that it runs again after its end was told; what follows belongs to it, and it needs a new end."""
        self._tell_start(at)
        self.is_complete = False

    def configure(self, values: Mapping[str, Any], *, at: datetime, texts: Mapping[str, str] | None = None) -> None:
        """Add settings by dotted key that were not known at the beginning."""
        self._tell(self._main, Configured(time_ns=_ns(at), values=dict(values), texts=dict(texts or {})))

    def label(self, labels: Mapping[str, str], *, at: datetime) -> None:
        """Add names with a text each."""
        self._tell(self._main, Labelled(time_ns=_ns(at), put=dict(labels)))

    def tag(self, add: Iterable[str] = (), remove: Iterable[str] = (), *, at: datetime) -> None:
        """Add tags, and take some away."""
        self._tell(self._main, Tagged(time_ns=_ns(at), add=tuple(add), remove=tuple(remove)))

    def note(self, text: str, *, at: datetime) -> None:
        """Replace the note; one that was written here after `at` stays."""
        self._tell(self._main, Noted(time_ns=_ns(at), text=text))

    def warn(self, text: str, *, at: datetime) -> None:
        """Add something that a person should know of the run, such as what of it could not be read."""
        self._tell(self._main, Warned(time_ns=_ns(at), text=text))

    def environment(self, found: Environment) -> None:
        """Add what it ran in."""
        self._tell(self._host, found)

    def end(
        self,
        state: RunState,
        *,
        at: datetime,
        reason: str = "",
        exit_code: int | None = None,
        failure: tuple[str, str, str] | None = None,
    ) -> None:
        """Tell how it ended.

        Args:
            failure: of a FAILED run the exception: its type, its message, and the whole traceback.
        """
        if failure is not None:
            kind, message, traceback = failure
            fingerprint = hashlib.sha256(f"{kind}\0{traceback.rpartition(message)[0]}".encode(errors="replace"))
            self._tell(
                self._main,
                Failed(
                    time_ns=_ns(at),
                    type=kind,
                    message=message,
                    traceback=traceback,
                    fingerprint=fingerprint.hexdigest()[:16],
                ),
            )
            reason = reason or f"{kind}: {message}"
        # the rest of what it logged goes first: an end seals the series
        self.flush()
        self._tell(self._host, Ended(time_ns=_ns(at), state=str(state), reason=reason, exit_code=exit_code))

    # ---- how ----

    def flush(self) -> None:
        """Deliver what waits.

        Raises:
            ServerAway: the server cannot be reached.
            JournalDamaged: something that was given cannot be kept; the message says what.
        """
        self._courier.deliver([stream for stream in self._streams.values() if stream.journal.size_bytes])

    def close(self) -> None:
        """Deliver all that waits, files included."""
        self.flush()
        while not self._client.bring_files():
            pass

    def _tell(self, stream: "_Stream", event: Event) -> None:
        stream.journal.event(event)
        stream.flush_if_large()

    def _tell_start(self, at: datetime) -> None:
        foreign = self._foreign
        self._tell(
            self._host,
            Started(
                time_ns=_ns(at),
                host=foreign.host,
                user=foreign.user,
                pid=0,
                command=foreign.command,
                device_names=foreign.device_names,
            ),
        )
        self._tell(self._main, Opened(time_ns=_ns(at), pid=0))


class _Stream:
    """Records of one journal that are not delivered yet."""

    def __init__(self, client: Client, run_id: RunId, name: str, courier: "_Courier") -> None:
        self._client = client
        self._courier = courier
        self.journal = EncodedJournal(run=run_id, attempt=_ATTEMPT, stream=name)
        self.offset: int | None = None  # how far the other side is; asked when it is first needed

    def piece(self) -> Piece:
        if self.offset is None:
            self.offset = self._client.offset(self.journal.run, _ATTEMPT, self.journal.stream)
        data = self.journal.take(with_header=self.offset == 0)
        return Piece(self.journal.run, _ATTEMPT, self.journal.stream, self.offset, data)

    def flush_if_large(self) -> None:
        if self.journal.size_bytes >= _PIECE_BYTES:
            self._courier.send([self])


class _Courier:
    """Delivers large pieces in a thread, one at a time, while the next records are made."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._threads: ThreadPoolExecutor | None = None  # most runs are small and need none
        self._under_way: Future[None] | None = None

    def send(self, streams: Sequence[_Stream]) -> None:
        """Deliver what the streams hold; what goes wrong is raised by the next call."""
        self._wait()
        self._threads = self._threads or ThreadPoolExecutor(1, "courier")
        self._under_way = self._threads.submit(_deliver, self._client, streams, [each.piece() for each in streams])

    def deliver(self, streams: Sequence[_Stream]) -> None:
        """Deliver what the streams hold, and all before it."""
        self._wait()
        if streams:
            _deliver(self._client, streams, [each.piece() for each in streams])

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()


def _deliver(client: Client, streams: Sequence[_Stream], pieces: Sequence[Piece]) -> None:
    for stream, piece, receipt in zip(streams, pieces, _take(client)(pieces), strict=True):
        if receipt.problem or receipt.offset != piece.offset + len(piece.data):
            why = receipt.problem or "somebody else brings the same run at the same time"
            raise JournalDamaged(f"Run {piece.run_id} was not taken in further: {why}")
        stream.offset = receipt.offset


def _take(client: Client) -> Callable[[Sequence[Piece]], list[Receipt]]:
    return client.deliver if isinstance(client, RemoteClient) else lambda pieces: intake.take(client, pieces)


def _spec(client: Client, foreign: Foreign) -> RunSpec:
    config = msgspec.to_builtins(dict(foreign.config), str_keys=True, enc_hook=str)
    identity = identify_stored(config) if config else None
    return RunSpec(
        id=_free_id(client, foreign),
        project=shortened(foreign.project),
        name=shortened(foreign.name) or foreign.source[-_LONGEST_NAME:],
        created_at=foreign.created_at.astimezone(UTC),
        kind="external",
        source=foreign.source,
        experiment=foreign.experiment,
        config=config,
        config_id=identity.config_id if identity else "",
        group=identity.group if identity else "",
        seed=foreign.seed,
        tags=tuple(foreign.tags),
        note=foreign.note,
        parent=run_id_of(foreign.project, foreign.parent) if foreign.parent else None,
        user=foreign.user,
        host=foreign.host,
        entry=foreign.entry,
        command=foreign.command,
        code=CodeState(commit=foreign.commit, branch=foreign.branch, is_dirty=foreign.is_dirty),
    )


def _free_id(client: Client, foreign: Foreign) -> RunId:
    for clash in range(_CLASHES):
        run_id = run_id_of(foreign.project, foreign.source, clash)
        if not client.index.known([run_id]):
            return run_id
    raise ConflictError(f"No id is free for {foreign.source[:200]}; import it into a project of another name.")


def _known(client: Client, run_id: RunId) -> Known:
    known = Known()
    folder = client.folder(run_id)
    for stream in (MAIN, HOST):
        came: Came | None = None
        for item in _items(folder.attempt(_ATTEMPT).journal(stream)):
            if isinstance(item, Rows):
                for key in item.keys:
                    for points in [known.points] if came is None else [known.points, came.points]:
                        points[key] = points.get(key, 0) + len(item.steps)
                if stream == MAIN:
                    known.last_ns = max(known.last_ns, int(item.times.max()))
            elif isinstance(item.event, Brought):
                event = item.event
                before = known.sources.get(event.source, Came())
                came = known.sources[event.source] = Came(offset=event.offset, told=before.told | event.told)
            else:
                _note(known, item)
                if came is not None and isinstance(item.event, Media):
                    came.media.add((item.event.key, item.event.step))
    return known


def _items(path: Path) -> Iterator[Rows | EventAt]:
    """What a journal holds, read in pieces: it may be larger than the memory."""
    if not path.exists():
        return
    decoder, wanted = Decoder(), _PIECE_BYTES
    with path.open("rb") as file:
        while True:
            before = decoder.offset
            file.seek(before)
            data = file.read(wanted)
            yield from decoder.feed(data)
            if decoder.offset == before:
                if len(data) < wanted or decoder.problem:
                    return
                wanted *= 2  # a record that is larger than a piece
            else:
                wanted = _PIECE_BYTES


def _note(known: Known, item: EventAt) -> None:
    match item.event:
        case ArtifactStored(name=name, sha256=sha256):
            known.files[name] = sha256
        case Media(key=key, step=step, time_ns=time_ns):
            known.media.add((key, step))
            known.last_ns = max(known.last_ns, time_ns)
        case Output(text=text):
            known.output_chars += len(text)
        case Ended(state=state):
            known.state = state
        case Started():
            known.state = None


def checked_name(name: str) -> str:
    """A name under which a file of a run may be kept.

    Raises:
        UsageError: it is empty, absolute, holds `..` or what no file name holds.
    """
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") for part in parts) or not name.isprintable() or "\\" in name:
        raise UsageError(f"{name[:200]!r} is no name of a file of a run: it must be relative, with / and without '..'.")
    return name


@lru_cache(maxsize=1 << 16)  # the same few keys come with every step
def series_name(key: str) -> str:
    """The name of a series: what cannot be in one becomes a space."""
    return "".join(each if each.isprintable() else " " for each in key).strip()[:MAX_NAME_LENGTH] or "untitled"


def shortened(text: str) -> str:
    """A name as runs may have it: printable, of at most 300 characters."""
    return "".join(each if each.isprintable() else " " for each in text).strip()[:_LONGEST_NAME]


def _ns(moment: datetime) -> int:
    return _bounded(to_ns(moment))


def _all_bounded(times_ns: Ints) -> NDArray[np.int64]:
    try:
        return np.clip(np.asarray(times_ns, np.int64), -_LARGEST_NS, _LARGEST_NS)
    except OverflowError:
        return np.array([_bounded(each) for each in times_ns], np.int64)


def _bounded(time_ns: int) -> int:
    return max(-_LARGEST_NS, min(int(time_ns), _LARGEST_NS))
