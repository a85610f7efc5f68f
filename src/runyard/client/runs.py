"""The front door for notebooks: runs as Python objects.

    runs = runyard.runs('project == "weld-seam" and config.lr < 0.2')
    runs[0].config, runs[0].summary["loss"].min, runs[0].series("loss").values
    runs.frame(), runs.series("loss"), runs.config_diff()

What an object holds is the run as it was when it was asked for; `reload()` asks again. Series, output
and files are read when they are wanted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, overload

from runyard.client import sheets
from runyard.client.client import Client, open_client
from runyard.client.gallery import Gallery
from runyard.client.tables import ConfigDiff, SeriesOfRuns
from runyard.errors import JournalDamaged, NotFound
from runyard.index import ArtifactRow, MediaRow, MetricSummary, RunRow
from runyard.index.diff import config_diff
from runyard.index.frames import frame_of_runs
from runyard.index.rows import from_ns
from runyard.index.series import Series
from runyard.journal import HOST, Attempt
from runyard.journal.events import DataSeen, Ended, Environment, Event, Failed, Media, Output, OutputDropped, Started
from runyard.journal.reader import Decoder, EventAt, read_journal
from runyard.records import CodeState, DataSource, RunId, RunSpec, RunState
from runyard.tracking.predictions import KIND as PREDICTIONS
from runyard.tracking.predictions import Predictions, read_predictions


@dataclass(frozen=True, kw_only=True)
class AttemptStory:
    """One try of a run: where it ran, and how it ended.

    Attributes:
        state: None as long as it has not ended.
        traceback: of the exception that ended it, else empty.
        environment: None if its supervisor told none.
        data: what the attempt found at the paths that its config names; empty if it names none.
        data_paths: config key, or --data -> the path that was used instead of the one that was asked for.
    """

    number: int
    state: RunState | None
    reason: str
    host: str
    user: str
    devices: tuple[str, ...]
    device_names: tuple[str, ...]
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    traceback: str
    environment: Environment | None
    data: tuple[DataSource, ...]
    data_paths: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file of a run. `path` is where its content lies, for reading only; None if it is not on this machine."""

    name: str
    kind: str
    size_bytes: int
    sha256: str
    meta: dict[str, Any]
    path: Path | None


class TrackedRun:
    """One run of a home, finished or not."""

    def __init__(self, client: Client, row: RunRow) -> None:
        self._client = client
        self._row = row

    @property
    def row(self) -> RunRow:
        """Everything that the index knows of it."""
        return self._row

    @property
    def id(self) -> RunId:
        return self._row.id

    @property
    def name(self) -> str:
        return self._row.name

    @property
    def project(self) -> str:
        return self._row.project

    @property
    def state(self) -> RunState:
        return self._row.state

    @property
    def reason(self) -> str:
        """Why it is in this state; empty if nothing is to be said."""
        return self._row.reason

    @property
    def config(self) -> dict[str, Any]:
        """All settings, nested."""
        return self._row.config

    @property
    def changed(self) -> dict[str, Any]:
        """Dotted keys that differ from the project's default."""
        return self._row.changed

    @property
    def seed(self) -> int | None:
        return self._row.seed

    @property
    def tags(self) -> tuple[str, ...]:
        return self._row.tags

    @property
    def note(self) -> str:
        return self._row.note

    @property
    def created_at(self) -> datetime:
        return self._row.created_at

    @property
    def started_at(self) -> datetime | None:
        return self._row.started_at

    @property
    def ended_at(self) -> datetime | None:
        return self._row.ended_at

    @property
    def duration_s(self) -> float | None:
        """Of all ended attempts together."""
        return self._row.duration_s

    @property
    def code(self) -> CodeState:
        """Commit, branch and snapshot of the code it was asked for with."""
        return self._row.code

    @property
    def summary(self) -> dict[str, MetricSummary]:
        """Last, min and max of every metric: `run.summary["loss"].min`."""
        return self._row.summary

    @property
    def spec(self) -> RunSpec:
        """What was asked for: its run.json."""
        return self._client.spec(self.id)

    def reload(self) -> "TrackedRun":
        """The run as it is now."""
        self._client.refresh()
        self._row = self._client.index.get(self.id)
        return self

    def series(self, key: str) -> Series:
        """All points of a metric: `steps`, `values` and `times` (nanoseconds since 1970, UTC), each of shape (n,).

        What a later attempt did again replaces what an earlier one did.

        Raises:
            NotFound: the run never logged it.
        """
        return self._client.index.series(self.id, key)

    def artifacts(self) -> list[StoredFile]:
        """The files that the run stored, in the order of their names."""
        rows = sorted(self._client.index.artifacts(self.id), key=lambda row: (row.name, row.attempt))
        return [self._stored(row) for row in rows]

    def predictions(self) -> Predictions:
        """What `run.log_predictions` kept: one answer a sample of the evaluation set.

        Raises:
            NotFound: it kept none, or they are not here any more.
        """
        kept = [row for row in self._client.index.artifacts(self.id) if row.kind == PREDICTIONS]
        if not kept:
            raise NotFound(
                f"Run {self.id} ({self.name}) has kept no predictions: its train() did not call run.log_predictions."
            )
        return read_predictions(self._client.artifacts.path(max(kept, key=lambda row: row.attempt).sha256))

    def media(self, key: str | None = None) -> Gallery:
        """Images, tables, figures and the like, by key and step; each with its place and its content."""
        rows = self._client.index.media(self.id, key)
        return Gallery((row, read_media(self._client, row)) for row in rows)

    def output(self, attempt: int | None = None) -> str:
        """What the latest attempt (or the given one) printed."""
        return "".join(output_of(self._client.folder(self.id).attempt(attempt or max(self._row.attempt, 1))))

    @property
    def attempts(self) -> list[AttemptStory]:
        """Every try, the oldest first."""
        folder = self._client.folder(self.id)
        reaped = {e.attempt: e for e in _events(folder.edits) if isinstance(e, Ended)}
        return [_story(attempt, reaped.get(attempt.number)) for attempt in folder.attempts()]

    def stop(self, why: str = "") -> None:
        """Ask it to stop, or take it out of the queue.

        Raises:
            RunFinished: it has ended already.
        """
        self._client.request_stop(self.id, why=why)
        self._row = self._client.index.get(self.id)

    def __repr__(self) -> str:
        return f"<TrackedRun {self.id} {self.name!r} {self.state}>"

    def _repr_html_(self) -> str:
        return sheets.of_run(self._row)

    def _stored(self, row: ArtifactRow) -> StoredFile:
        path = self._client.artifacts.path(row.sha256) if self._client.artifacts.has(row.sha256) else None
        return StoredFile(
            name=row.name, kind=row.kind, size_bytes=row.size_bytes, sha256=row.sha256, meta=row.meta, path=path
        )


class Runs(Sequence[TrackedRun]):
    """Runs in the order that was asked for: `len`, indexing, slices, iteration, tables."""

    def __init__(self, client: Client, rows: Sequence[RunRow]) -> None:
        self._client = client
        self._rows = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> TrackedRun: ...

    @overload
    def __getitem__(self, index: slice) -> "Runs": ...

    def __getitem__(self, index: int | slice) -> "TrackedRun | Runs":
        if isinstance(index, slice):
            return Runs(self._client, self._rows[index])
        return TrackedRun(self._client, self._rows[index])

    def __iter__(self) -> Iterator[TrackedRun]:
        return (TrackedRun(self._client, row) for row in self._rows)

    def frame(self) -> Any:  # a DataFrame of a package that may be missing
        """A table with one row a run: fields, `config.<key>`, and `<metric>.last`, `.min`, `.max`.

        What a run lacks is NaN, or NA in columns of whole numbers and truth values; times are aware, in UTC.
        A pandas DataFrame if pandas is installed, else one of polars.

        Raises:
            MissingExtra: neither is installed.
        """
        return frame_of_runs(self._rows)

    def series(self, key: str) -> SeriesOfRuns:
        """The points of one metric of all these runs that have it, by run id; `.frame()` makes one table of them."""
        found = self._client.index.series_many([row.id for row in self._rows], key)
        having = [row for row in self._rows if row.id in found]
        return SeriesOfRuns(
            {row.id: found[row.id] for row in having}, key=key, names={row.id: row.name for row in having}
        )

    def config_diff(self) -> ConfigDiff:
        """Only the settings that differ: dotted key -> run id -> value, None where a run lacks the key.

        `pandas.DataFrame(runs.config_diff())` makes a table of it, one row a run.
        """
        differing = config_diff({row.id: row.config for row in self._rows})
        return ConfigDiff(differing, names={row.id: row.name for row in self._rows})

    def __repr__(self) -> str:
        return f"<Runs: {len(self)}>"

    def _repr_html_(self) -> str:
        return sheets.of_runs(self._rows)


def runs(
    query: str = "",
    *,
    home: str | Path | None = None,
    project: str | None = None,
    sort: str = "-created_at",
    limit: int | None = None,
) -> Runs:
    """Find runs of the home on this machine.

    Args:
        query: an expression over the fields of a run; empty for all. docs/cli.md describes it.
        home: a folder; else that of RUNYARD_HOME, else ~/.runyard.
        project: only runs of this project.
        sort: a field, with `-` in front for descending.

    Raises:
        QueryError: the query cannot be understood.
    """
    client = open_client(home)
    client.refresh()
    return Runs(client, client.index.find(query or None, project=project, sort=sort, limit=limit))


def data_seen(attempts: Sequence[AttemptStory]) -> list[DataSource]:
    """What the latest attempt that looked found at each path of data, without paths where nothing is."""
    found = next((each.data for each in reversed(attempts) if each.data), ())
    return [source for source in found if source.files]


def output_of(attempt: Attempt) -> Iterator[str]:
    """What an attempt printed, piece by piece; a gap is told in brackets."""
    for event in _events(attempt.journal(HOST)):
        text = output_text(event)
        if text:
            yield text


def output_text(event: Event) -> str:
    """The text of an event of the host's journal, empty if it is none."""
    if isinstance(event, Output):
        return event.text
    if isinstance(event, OutputDropped):
        return f"\n[{event.size_bytes:,} bytes of output left out here]\n"
    return ""


def read_media(client: Client, row: MediaRow) -> Media:
    """An image, table or figure, read where it lies.

    Raises:
        NotFound: the journal is not there any more.
        JournalDamaged: something else lies there.
    """
    decoder = Decoder()
    decoder.offset = row.offset
    try:
        with client.folder(row.run_id).attempt(row.attempt).journal(row.stream).open("rb") as file:
            file.seek(row.offset)
            items = decoder.feed(file.read(row.size))
    except FileNotFoundError:
        raise NotFound(f"The journal {row.stream} of attempt {row.attempt} of {row.run_id} is not here.") from None
    found = next((item.event for item in items if isinstance(item, EventAt)), None)
    if not isinstance(found, Media):
        raise JournalDamaged(f"There is no media at byte {row.offset} of {row.stream} of {row.run_id}.")
    return found


def _events(path: Path) -> Iterator[Event]:
    try:
        items, _ = read_journal(path)
    except FileNotFoundError:
        return
    yield from (item.event for item in items if isinstance(item, EventAt))


def _story(attempt: Attempt, reaped: Ended | None) -> AttemptStory:
    host = list(_events(attempt.journal(HOST)))
    started = next((e for e in host if isinstance(e, Started)), None)
    ended = next((e for e in reversed(host) if isinstance(e, Ended)), reaped)
    streams = [stream for stream in attempt.streams() if stream != HOST]
    failed = next((e for s in streams for e in _events(attempt.journal(s)) if isinstance(e, Failed)), None)
    return AttemptStory(
        number=attempt.number,
        state=_state_of(ended) if ended else None,
        reason=(ended.reason if ended else "") or (f"{failed.type}: {failed.message}" if failed else ""),
        host=started.host if started else "",
        user=started.user if started else "",
        devices=started.devices if started else (),
        device_names=started.device_names if started else (),
        started_at=from_ns(started.time_ns) if started else None,
        ended_at=from_ns(ended.time_ns) if ended else None,
        exit_code=ended.exit_code if ended else None,
        traceback=failed.traceback if failed else "",
        environment=next((e for e in host if isinstance(e, Environment)), None),
        data=next((e.sources for e in host if isinstance(e, DataSeen)), ()),
        data_paths=dict(started.data) if started else {},
    )


def _state_of(ended: Ended) -> RunState:
    try:
        return RunState(ended.state)
    except ValueError:  # a newer Runyard invented it
        return RunState.LOST
