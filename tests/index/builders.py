"""A home with runs in it, written as training processes, supervisors and people would."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from runyard.database import Database
from runyard.database.schema import INDEX_TABLES
from runyard.index import Index, RunRow
from runyard.journal import Home, JournalWriter, RunFolder
from runyard.journal.events import Ended, Event, Started
from runyard.records import RunId, RunSpec, encode_spec

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
START_NS = 1_769_860_800_000_000_000
SECOND_NS = 1_000_000_000


def a_spec(run_id: str = "r1", **changes: Any) -> RunSpec:  # fields of a RunSpec
    fields: dict[str, Any] = {"project": "weld", "name": run_id, "created_at": START, "host": "ws1", "user": "anna"}
    return RunSpec(id=RunId(run_id), **(fields | changes))


def at(seconds: float) -> int:
    """Nanoseconds, so many seconds after the start of all tests."""
    return START_NS + int(seconds * SECOND_NS)


def started(seconds: float = 0, **changes: Any) -> Started:  # fields of Started
    fields: dict[str, Any] = {"host": "ws1", "user": "anna", "pid": 1}
    return Started(time_ns=at(seconds), **(fields | changes))


def ended(seconds: float, state: str = "COMPLETED", **changes: Any) -> Ended:  # fields of Ended
    return Ended(time_ns=at(seconds), state=state, **changes)


class Journal:
    """One stream; rows are a millisecond apart unless told otherwise."""

    def __init__(self, path: Path, *, run: str, attempt: int, stream: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.attempt = attempt
        self.stream = stream
        self._writer = JournalWriter(path, run=run, attempt=attempt, stream=stream)
        self._schemas: dict[tuple[str, ...], Any] = {}  # Schema, as the writer makes them
        self._time_ns = START_NS

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()

    def event(self, *events: Event) -> "Journal":
        for event in events:
            self._writer.event(event)
        return self

    def log(self, step: int, values: Mapping[str, float], *, time_ns: int | None = None) -> "Journal":
        return self.log_many([step], {key: [value] for key, value in values.items()}, time_ns=time_ns)

    def log_many(
        self, steps: Sequence[int], values: Mapping[str, Sequence[float]], *, time_ns: int | None = None
    ) -> "Journal":
        keys = tuple(values)
        if keys not in self._schemas:
            self._schemas[keys] = self._writer.declare(keys)
        schema = self._schemas[keys]
        if time_ns is not None:
            self._time_ns = time_ns
        records = []
        for position, step in enumerate(steps):
            records.append(schema.encode(step, self._time_ns, [values[key][position] for key in keys]))
            self._time_ns += 1_000_000
        self._writer.append(b"".join(records))
        return self

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()


class Yard:
    """A home, its database and its index."""

    def __init__(self, path: Path, database_url: str | None = None) -> None:
        self.home = Home.open(path)
        self.database = Database.open(database_url or self.home.database)
        self.index = Index(self.database, self.home)
        self._open: dict[tuple[str, int, str], Journal] = {}

    def close(self) -> None:
        """Let go of the database and of all journals."""
        self.database.dispose()
        for journal in self._open.values():
            journal.close()

    def add(self, spec: RunSpec | None = None, **changes: Any) -> RunFolder:  # fields of a RunSpec
        """The folder of a new run; the index hears of it when it catches up."""
        spec = spec or a_spec(**changes)
        folder = self.home.run(spec.id)
        folder.path.mkdir(parents=True)
        folder.spec.write_bytes(encode_spec(spec))
        return folder

    def journal(self, run_id: str = "r1", attempt: int = 1, stream: str = "main") -> Journal:
        """A stream to write to."""
        identity = (run_id, attempt, stream)
        if identity not in self._open:
            path = self.index.journal_path(*identity)
            self._open[identity] = Journal(path, run=run_id, attempt=attempt, stream=stream)
        return self._open[identity]

    def edit(self, *events: Event, run_id: str = "r1") -> None:
        self.journal(run_id, 0, "edits").event(*events)

    def run(self, run_id: str = "r1") -> RunRow:
        """The run, after catching up with its folder."""
        assert self.index.catch_up(run_id) == []
        return self.index.get(run_id)

    def rows(self) -> dict[str, list[Any]]:
        """Every row of every table of the index, sorted."""
        return all_rows(self.database)


def all_rows(database: Database) -> dict[str, list[Any]]:
    """Every row of every table of the index, sorted by primary key."""
    with database.read() as tx:
        return {
            table.name: [tuple(row) for row in tx.execute(select(table).order_by(*table.primary_key))]
            for table in INDEX_TABLES
        }


def days(number: float) -> datetime:
    return START + timedelta(days=number)
