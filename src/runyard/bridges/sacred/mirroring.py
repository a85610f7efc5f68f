"""A live mirror of runs in Sacred's schema: Omniboard shows them, and what is edited there comes back.

It reads the index like any other reader and writes tags and notes like a person, so no training can notice it. What the
database does not take now is brought at a later look: a look compares what a run is with what was told of it, so
nothing is queued up while the database is away.

A document that somebody deleted stays deleted. Only fields of our own are set; what others write into a document stays.
"""

import hashlib
import mimetypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TypeVar

import gridfs
from bson import ObjectId
from bson.errors import BSONError
from pymongo import DESCENDING
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, OperationFailure, PyMongoError, WriteError

from runyard.bridges.sacred.documents import MOST_POINTS, own_fields
from runyard.bridges.sacred.mirror_state import Mirrored, MirroredMetric, MirrorState
from runyard.bridges.sacred.mongo import connect, database_named, hosts_of
from runyard.bridges.sacred.names import OUTPUT_KEY, tags_of
from runyard.client import Client
from runyard.client.runs import output_of, read_media
from runyard.errors import NotFound, RunyardError
from runyard.index import RunRow
from runyard.records import RunState

LARGEST_FILE_BYTES = 64 << 20
BEAT_S = 60.0
_OF_THE_HOST = ("sys/", "host/", "gpu/")  # Omniboard would draw a hundred charts of them
_TRIES = 50  # for a number that nobody else takes at the same moment
_GROWTH = 1.05  # a thinned metric is sent whole, so not for every point
_MANY = 500
_SAVE_S = 2.0

Item = TypeVar("Item")


@dataclass
class Look:
    """What one look brought. `problems` holds what cannot be mirrored, a sentence each."""

    new: int = 0
    updated: int = 0
    edited: int = 0  # runs whose tags or notes came back
    problems: list[str] = field(default_factory=list)


class Mirror:
    """Brings runs to one database, look by look."""

    def __init__(
        self,
        client: Client,
        uri: str,
        *,
        project: str | None = None,
        query: str | None = None,
        beat_s: float = BEAT_S,
    ) -> None:
        """Nothing is asked of the database before the first look.

        Args:
            project: only its runs.
            query: only the runs that match.
            beat_s: how long a look goes on before all running runs get a heartbeat in between.

        Raises:
            UsageError: the address is none.
            ConflictError: this home is mirrored there already.
        """
        self._client = client
        self._project = project
        self._query = query
        self._beat_s = beat_s
        name = database_named(uri)
        self.place = f"{hosts_of(uri)}/{name}"
        self._state = MirrorState(client.home, self.place)
        try:
            self._mongo = connect(uri)
        except BaseException:
            self._state.close()
            raise
        self._database = self._mongo[name]
        self._runs, self._metrics = self._database["runs"], self._database["metrics"]
        self._is_prepared = False
        self._told: set[str] = set()

    def close(self) -> None:
        """Let go of the database, and let others in."""
        self._state.close()
        self._mongo.close()

    def look(
        self, *, now: datetime | None = None, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Look:
        """Bring what has changed since the last look, and take edits back.

        Args:
            now: the time of the look, aware; None: that of the clock.
            progress: called with how many runs are done, and of how many.

        Raises:
            PyMongoError: the database is away, or takes nothing. What was brought is remembered.
        """
        found = Look()
        save_at, beat_at = monotonic() + _SAVE_S, monotonic() + self._beat_s
        self._client.refresh()
        try:
            self._prepare()
            rows = [row for row in self._rows() if not row.source.startswith(f"sacred:mongodb://{self.place}/")]
            self._recognise(rows)
            self._take_edits(rows, found)
            for number, row in enumerate(rows, start=1):
                self._bring(row, now or datetime.now(UTC), found)  # a first look may take minutes
                progress(number, len(rows))
                if monotonic() > save_at:
                    self._state.save()
                    save_at = monotonic() + _SAVE_S
                if monotonic() > beat_at:
                    self._beat(rows, now or datetime.now(UTC))
                    beat_at = monotonic() + self._beat_s
        finally:
            self._state.save()
        return found

    # ---- which runs ----

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        self._database.command("ping")
        self._metrics.create_index([("run_id", 1), ("name", 1)])  # Sacred makes none, and readers ask by it
        self._is_prepared = True

    def _rows(self) -> list[RunRow]:
        return self._client.index.find(self._query, project=self._project, sort="created_at", limit=None)

    def _recognise(self, rows: Sequence[RunRow]) -> None:
        """Find the documents of runs that are not remembered: the state's file was lost, or not written in time."""
        unknown = [row.id for row in rows if row.id not in self._state.runs]
        for ids in _pieces(unknown):
            for document in self._runs.find({"info.runyard.id": {"$in": ids}}, {"info": 1, "omniboard": 1}):
                if isinstance(document["_id"], int):
                    self._state.runs[document["info"]["runyard"]["id"]] = self._remembered(document)

    def _remembered(self, document: dict[str, Any]) -> Mirrored:
        known = Mirrored(id=document["_id"], tags=_tags(document), note=_note(document))
        for file in self._database["fs.files"].find({"filename": {"$regex": f"^artifact://runs/{known.id}/"}}):
            about = file.get("metadata") or {}
            if about.get("sha256"):
                known.files[f"{about['sha256']} {about.get('name', '')}"] = str(file["_id"])
        for metric in self._metrics.find({"run_id": known.id}, {"name": 1}):
            known.metrics[metric["name"]] = MirroredMetric(id=str(metric["_id"]))
        return known

    # ---- back: what people edit in Omniboard ----

    def _take_edits(self, rows: Sequence[RunRow], found: Look) -> None:
        by_id: dict[str, RunRow] = {row.id: row for row in rows}
        known = {each.id: (run_id, each) for run_id, each in self._state.runs.items() if run_id in by_id}
        present: set[int] = set()
        for numbers in _pieces([number for number, (_, each) in known.items() if not each.is_gone]):
            for document in self._runs.find({"_id": {"$in": numbers}}, {"omniboard": 1}):
                present.add(document["_id"])
                run_id, mirrored = known[document["_id"]]
                self._merge(by_id[run_id], mirrored, document, found)
        for number, (_, mirrored) in known.items():
            mirrored.is_gone = mirrored.is_gone or number not in present

    def _merge(self, row: RunRow, mirrored: Mirrored, document: dict[str, Any], found: Look) -> None:
        """Bring the tags and the note of both sides together; `mirrored` holds what both had last."""
        theirs, ours, both = set(_tags(document)), set(row.tags), set(mirrored.tags)
        added, removed = theirs - both, both - theirs
        come, go = sorted(added - ours), sorted(removed & ours)
        if come or go:
            self._client.tag(row.id, add=come, remove=go)
        merged = sorted((ours | added) - removed)
        note, their_note = row.note, _note(document)
        if their_note != mirrored.note:
            note = their_note
            if note != row.note:
                self._client.note(row.id, note)
                come.append("note")
        found.edited += bool(come or go)
        if set(merged) != theirs or note != their_note:
            # only if nobody has edited it since it was read; else the next look tries again
            asked = {"_id": document["_id"], "omniboard": document.get("omniboard", {"$exists": False})}
            told = {"omniboard.tags": merged, "omniboard.notes": note}
            if not self._runs.update_one(asked, {"$set": told}).matched_count:
                return
        mirrored.tags, mirrored.note = merged, note

    # ---- there: what runs do ----

    def _bring(self, row: RunRow, now: datetime, found: Look) -> None:
        known = self._state.runs.get(row.id)
        if known is not None and known.is_gone:
            return
        try:
            if known is None:
                known = self._state.runs[row.id] = self._insert(row, now)
                found.new += 1
            seen = _seen(row)
            if seen != known.seen:
                self._update(row, known, now, found)
                known.seen = "" if known.is_gone else seen
                found.updated += 1
            elif row.state is RunState.RUNNING:
                self._set(known, {"heartbeat": now})
        except (DocumentTooLarge, BSONError, WriteError, RunyardError, OSError, OverflowError) as problem:
            if isinstance(problem, PyMongoError) and _is_refusal(problem):
                raise
            self._tell(found, row.id, f"{row.id} ({row.name}) is not mirrored whole: {problem}")

    def _beat(self, rows: Sequence[RunRow], now: datetime) -> None:
        """A look at many runs may take minutes, and Omniboard calls a run dead after two."""
        running = (self._state.runs.get(row.id) for row in rows if row.state is RunState.RUNNING)
        ids = [known.id for known in running if known is not None and not known.is_gone]
        self._runs.update_many({"_id": {"$in": ids}}, {"$set": {"heartbeat": now}})

    def _insert(self, row: RunRow, now: datetime) -> Mirrored:
        fields = own_fields(row, heartbeat=_heartbeat(row, now))
        tags, note = sorted(row.tags), row.note
        fields["omniboard"] = {"tags": tags, "notes": note}
        for _ in range(_TRIES):
            newest = self._runs.find_one({"_id": {"$type": "number"}}, {"_id": 1}, sort=[("_id", DESCENDING)])
            number = max(int(newest["_id"]) if newest else 0, 0) + 1
            try:
                self._runs.insert_one({"_id": number, **fields})
            except DuplicateKeyError:
                continue
            return Mirrored(id=number, tags=tags, note=note)
        raise OperationFailure(f"no number was free for run {row.id} in {_TRIES} tries")

    def _update(self, row: RunRow, known: Mirrored, now: datetime, found: Look) -> None:
        if not self._set(known, {"info.runyard.id": row.id}):  # gone: then nothing more is written for it
            return
        self._bring_metrics(row, known)
        self._bring_files(row, known, found)
        fields = own_fields(
            row,
            heartbeat=_heartbeat(row, now),
            base_dir=self._client.spec(row.id).project_dir,
            environment=self._client.index.environment(row.id, row.attempt) if row.attempt else None,
            failure=self._client.index.failure(row.id) if row.state.is_ended else None,
            output=self._output(row),
            files=[(key.partition(" ")[2], ObjectId(file_id)) for key, file_id in known.files.items()],
            metrics=[{"name": name, "id": each.id} for name, each in known.metrics.items()],
        )
        self._set(known, fields)

    def _set(self, known: Mirrored, fields: dict[str, Any]) -> bool:
        """Set fields of a run's document; False if somebody deleted it."""
        known.is_gone = not self._runs.update_one({"_id": known.id}, {"$set": fields}).matched_count
        return not known.is_gone

    def _bring_metrics(self, row: RunRow, known: Mirrored) -> None:
        for key, summary in row.summary.items():
            if key.startswith(_OF_THE_HOST):
                continue
            metric = known.metrics.setdefault(key, MirroredMetric(id=str(ObjectId())))
            if summary.count == metric.points and metric.attempt == row.attempt:
                continue
            is_thin = summary.count > MOST_POINTS
            if is_thin and summary.count < metric.points * _GROWTH and not row.state.is_ended:
                continue
            series = self._client.index.series(row.id, key, points=MOST_POINTS if is_thin else None)
            steps, values = series.steps[:MOST_POINTS].tolist(), series.values[:MOST_POINTS].tolist()
            times = series.times[:MOST_POINTS].astype("datetime64[ns]").astype("datetime64[us]").tolist()
            self._store_points(known, key, metric, (steps, values, times), is_grown=metric.attempt == row.attempt)
            metric.points, metric.stored, metric.attempt = len(series), len(steps), row.attempt
            if is_thin:
                metric.points = summary.count

    def _store_points(
        self, known: Mirrored, key: str, metric: MirroredMetric, columns: tuple[list[Any], ...], *, is_grown: bool
    ) -> None:
        """Append what is new if the document ends where it was left, else write it whole."""
        names = ("steps", "values", "timestamps")
        place = {"_id": ObjectId(metric.id)}
        if is_grown and 0 < metric.stored == metric.points <= len(columns[0]):
            new = {name: {"$each": column[metric.stored :]} for name, column in zip(names, columns, strict=True)}
            if self._metrics.update_one({**place, "steps": {"$size": metric.stored}}, {"$push": new}).matched_count:
                return
        whole = {"run_id": known.id, "name": key} | dict(zip(names, columns, strict=True))
        self._metrics.update_one(place, {"$set": whole}, upsert=True)

    def _bring_files(self, row: RunRow, known: Mirrored, found: Look) -> None:
        store = gridfs.GridFS(self._database)
        for each in self._client.index.artifacts(row.id):
            key = f"{each.sha256} {each.name}"
            if key in known.files:
                continue
            if each.size_bytes > LARGEST_FILE_BYTES:
                why = (
                    f"its {each.size_bytes:,} bytes are more than the {LARGEST_FILE_BYTES >> 20} MiB that are mirrored"
                )
                self._tell(found, key, f"{each.name} of {row.id} ({row.name}) is left out: {why}.")
                continue
            try:
                data = self._client.artifacts.path(each.sha256).read_bytes()
            except (NotFound, OSError) as problem:
                self._tell(found, key, f"{each.name} of {row.id} ({row.name}) cannot be read: {problem}")
                continue
            # a copy for each run: Omniboard deletes the files of a run with it
            file_id = store.put(
                data,
                filename=f"artifact://runs/{known.id}/{each.name}",
                metadata={"sha256": each.sha256, "name": each.name},
                contentType=mimetypes.guess_type(each.name)[0] or "application/octet-stream",
            )
            known.files[key] = str(file_id)

    def _output(self, row: RunRow) -> str:
        if not row.attempt:
            return ""
        printed = "".join(output_of(self._client.folder(row.id).attempt(row.attempt)))
        if printed:
            return printed
        pieces = self._client.index.media(row.id, OUTPUT_KEY)  # what `RunyardObserver` was told
        return "".join(read_media(self._client, each).data.decode(errors="replace") for each in pieces)

    def _tell(self, found: Look, topic: str, text: str) -> None:
        """Each problem once, however often it is looked at."""
        if topic not in self._told:
            self._told.add(topic)
            found.problems.append(text)


def _heartbeat(row: RunRow, now: datetime) -> datetime | None:
    """Omniboard calls a run dead whose heartbeat is two minutes old, and takes it for the end of its duration."""
    if row.state is RunState.RUNNING:
        return now
    return row.ended_at or (row.last_seen_at if row.started_at else None)


def _seen(row: RunRow) -> str:
    """A mark of all of a run that its document shows; another one means that it has to be written again."""
    counts = {key: each.count for key, each in row.summary.items() if not key.startswith(_OF_THE_HOST)}
    shown = (
        row.state,
        row.attempt,
        row.last_seen_at,
        row.ended_at,
        counts,
        row.name,
        row.priority,
        row.note,
        row.reason,
    )
    return hashlib.sha256(repr(shown).encode(errors="replace")).hexdigest()[:16]


def _tags(document: dict[str, Any]) -> list[str]:
    board = document.get("omniboard")
    return sorted(tags_of(board.get("tags"))) if isinstance(board, dict) else []


def _note(document: dict[str, Any]) -> str:
    board = document.get("omniboard")
    note = board.get("notes") if isinstance(board, dict) else ""
    return note if isinstance(note, str) else ""


def _is_refusal(problem: PyMongoError) -> bool:
    """Whether the database takes nothing at all now, rather than not this document."""
    return not isinstance(problem, DocumentTooLarge | WriteError) or getattr(problem, "code", None) in _REFUSALS


_REFUSALS = (13, 18, 91, 189, 10058, 10107, 13435, 14031)  # no rights, shutting down, not primary, no room


def _pieces(items: Sequence[Item]) -> Iterable[list[Item]]:
    for begin in range(0, len(items), _MANY):
        yield list(items[begin : begin + _MANY])
