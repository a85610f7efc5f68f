"""Writing what journals say: what `Index.apply` does within its transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select

from runyard.database import lock_runs, upsert
from runyard.database.schema import artifacts, chunk_values, chunks, media, streams
from runyard.errors import JournalDamaged
from runyard.index import entries, reading
from runyard.index.chunks import SEGMENT_BYTES, chunk_rows, decode_by_segment
from runyard.index.fold import fold
from runyard.index.merge import Merged, States, ended_attempts, merge
from runyard.index.states import MetricState, StreamState, decode_state, encode_state, key_prefix
from runyard.journal.events import ArtifactRemoved, ArtifactStored, Media
from runyard.journal.pieces import Piece
from runyard.journal.reader import Decoder, EventAt, Header, Rows
from runyard.records import RunSpec

if TYPE_CHECKING:
    from runyard.index.index import Index

_new_decoder = Decoder().state()

# built once: building a statement costs more than executing it
_STREAMS = select(streams).where(streams.c.run_id.in_(bindparam("asked", expanding=True)))
_INSERTS = {table.name: insert(table) for table in (streams, chunks, chunk_values, media, artifacts)}


class StreamRow(msgspec.Struct):
    """A row of `streams`, decoded."""

    run_id: str
    attempt: int
    stream: str
    decoder: Decoder
    state: StreamState
    sealed_offset: int = 0
    sealed_segment: int = 0
    sealed_decoder: bytes = _new_decoder
    is_sealed: bool = False

    @property
    def identity(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "attempt": self.attempt, "stream": self.stream}

    @property
    def columns(self) -> dict[str, Any]:
        return {
            **self.identity,
            "offset": self.decoder.offset,
            "decoder": self.decoder.state(),
            "state": encode_state(self.state),
            "sealed_offset": self.sealed_offset,
            "sealed_segment": self.sealed_segment,
            "sealed_decoder": self.sealed_decoder,
            "is_sealed": self.is_sealed,
        }


class Pending(msgspec.Struct):
    """Rows to be inserted, gathered because a statement costs more than a row."""

    rows: dict[str, list[dict[str, Any]]] = {}  # by table
    removed: list[dict[str, Any]] = []  # artifacts that are gone: stream, name, and the offset that said so

    def add(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        self.rows.setdefault(table, []).extend(rows)

    def take(self, other: "Pending") -> None:
        """Take over what another one gathered."""
        for gone in other.removed:
            self.remove_artifacts(gone)
        for table, rows in other.rows.items():
            self.add(table, rows)

    def remove_artifacts(self, gone: dict[str, Any]) -> None:
        """Forget the files that the same stream told before."""
        kept = [row for row in self.rows.get("artifacts", []) if not _is_gone(row, gone)]
        self.rows["artifacts"] = kept
        self.removed.append(gone)

    def insert(self, tx: Connection) -> None:
        """Write the rows, and forget them."""
        for gone in self.removed:
            _delete_artifacts(tx, gone)
        self.removed.clear()
        for table, rows in self.rows.items():
            if rows:
                tx.execute(_INSERTS[table], rows)
        self.rows.clear()


def apply(index: "Index", tx: Connection, pieces: Sequence[Piece]) -> list[int]:
    """See `Index.apply_many`. A few statements for all of them, since a statement costs more than what it carries."""
    run_ids = sorted({piece.run_id for piece in pieces})
    lock_runs(tx, run_ids)
    by_run = load_streams(tx, run_ids)
    pending = Pending()
    changed: dict[tuple[str, int, str], StreamRow] = {}
    ends = []
    for piece in pieces:
        rows = by_run[piece.run_id]
        row = rows.get((piece.attempt, piece.stream)) or StreamRow(
            piece.run_id, piece.attempt, piece.stream, Decoder(), StreamState()
        )
        known = row.decoder.offset
        _take_piece(index, tx, row, piece, pending)
        if row.decoder.offset > known:
            rows[piece.attempt, piece.stream] = row
            changed[piece.run_id, piece.attempt, piece.stream] = row
        ends.append(row.decoder.offset)
    states = {run_id: _states(by_run[run_id]) for run_id in dict.fromkeys(run_id for run_id, _, _ in changed)}
    for run_id, of_run in states.items():
        ended = ended_attempts(of_run)
        for (number, stream), row in by_run[run_id].items():
            if row.is_sealed and number not in ended:  # it goes on after its end
                _unseal(tx, row)
                changed[run_id, number, stream] = row
        for row in _seal_rest(index, [row for (number, _), row in by_run[run_id].items() if number in ended], pending):
            changed[row.run_id, row.attempt, row.stream] = row
    upsert(tx, streams, [row.columns for row in changed.values()])
    pending.insert(tx)
    remerge(index, tx, states)
    return ends


def load_states(tx: Connection, run_id: str) -> dict[tuple[int, str], StreamState]:
    """The states of all streams of a run."""
    found = select(streams.c.attempt, streams.c.stream, streams.c.state).where(streams.c.run_id == run_id)
    return {(row.attempt, row.stream): decode_state(row.state) for row in tx.execute(found)}


def load_streams(tx: Connection, run_ids: Sequence[str]) -> dict[str, dict[tuple[int, str], StreamRow]]:
    """All streams of some runs, by run."""
    found: dict[str, dict[tuple[int, str], StreamRow]] = {run_id: {} for run_id in run_ids}
    for row in tx.execute(_STREAMS, {"asked": list(run_ids)}):
        found[row.run_id][row.attempt, row.stream] = StreamRow(
            run_id=row.run_id,
            attempt=row.attempt,
            stream=row.stream,
            decoder=Decoder.resume(row.decoder),
            state=decode_state(row.state),
            sealed_offset=row.sealed_offset,
            sealed_segment=row.sealed_segment,
            sealed_decoder=row.sealed_decoder,
            is_sealed=row.is_sealed,
        )
    return found


def forget_stream(tx: Connection, run_id: str, attempt: int, stream: str) -> None:
    """Remove all that came from one stream, so that it can be applied from its beginning."""
    for table in (streams, chunks, chunk_values, media, artifacts):
        tx.execute(delete(table).where(table.c.run_id == run_id, table.c.attempt == attempt, table.c.stream == stream))


def _states(rows: Mapping[tuple[int, str], StreamRow]) -> States:
    return {identity: row.state for identity, row in rows.items()}


# ---- folding ----


def _take_piece(index: "Index", tx: Connection, row: StreamRow, piece: Piece, pending: Pending) -> None:
    """Bring a stream forward by what is new of a piece."""
    known = row.decoder.offset
    if piece.offset > known:
        raise ValueError(f"bytes {known} to {piece.offset} of {row.run_id}/{row.attempt}/{row.stream} are missing")
    fresh = piece.data[known - piece.offset :] if piece.offset < known else piece.data
    if not fresh:
        return
    before = row.decoder.state()
    found = fold_fresh(row, fresh, pending)
    if row.decoder.offset > known:
        _unseal(tx, row)
        _seal_full(index, row, found, pending, known=known, before=before)


class Fresh(msgspec.Struct):
    """What a delivery brought: rows by the segment in which they end, and the decoder behind each segment."""

    rows: dict[int, list[Rows]] = {}
    decoders: list[tuple[int, bytes]] = []


def fold_fresh(row: StreamRow, data: bytes, pending: Pending) -> Fresh:
    """Decode and fold what comes next.

    Raises:
        JournalDamaged: this is no journal, or that of something else.
        FormatUnknown: a newer Runyard wrote it.
    """
    fresh = Fresh()
    found_media: list[dict[str, Any]] = []
    found_artifacts: list[dict[str, Any]] = []
    prefix = key_prefix(row.stream)
    for segment, items in decode_by_segment(row.decoder, data):
        fold(row.state, items, prefix=prefix)
        fresh.decoders.append((segment, row.decoder.state()))
        for item in items:
            if isinstance(item, Rows):
                fresh.rows.setdefault(segment, []).append(item)
            elif isinstance(item.event, Media):
                found_media.append(row.identity | _media_columns(item, item.event, prefix))
            elif isinstance(item.event, ArtifactStored):
                found_artifacts.append(row.identity | _artifact_columns(item, item.event))
            elif isinstance(item.event, ArtifactRemoved):
                gone = row.identity | {"name": item.event.name, "offset": item.offset}
                found_artifacts = [each for each in found_artifacts if not _is_gone(each, gone)]
                pending.remove_artifacts(gone)
    _check_header(row)
    pending.add("media", found_media)
    pending.add("artifacts", found_artifacts)
    return fresh


def _check_header(row: StreamRow) -> None:
    header = row.decoder.header
    ours = (row.run_id, row.attempt, row.stream)
    if header is not None and (header.run, header.attempt, header.stream) != ours:
        raise JournalDamaged(
            f"This is the journal {_name(header)}, not {row.run_id}/{row.attempt}/{row.stream}. Was a file moved?"
        )


def _name(header: Header) -> str:
    return f"{header.run}/{header.attempt}/{header.stream}"


def _media_columns(item: EventAt, event: Media, prefix: str) -> dict[str, Any]:
    return {
        "offset": item.offset,
        "size": item.size,
        "key": prefix + event.key,
        "step": event.step,
        "kind": event.kind,
        "mime": event.mime,
        "time_ns": event.time_ns,
    }


def _artifact_columns(item: EventAt, event: ArtifactStored) -> dict[str, Any]:
    return {
        "offset": item.offset,
        "name": event.name,
        "sha256": event.sha256,
        "size_bytes": event.size_bytes,
        "kind": event.kind,
        "meta": msgspec.msgpack.encode(event.meta),
        "time_ns": event.time_ns,
    }


def _is_gone(row: dict[str, Any], gone: dict[str, Any]) -> bool:
    is_same_stream = all(row[name] == gone[name] for name in ("run_id", "attempt", "stream"))
    return is_same_stream and row["offset"] < gone["offset"] and f"{row['name']}/".startswith(f"{gone['name']}/")


def _delete_artifacts(tx: Connection, gone: dict[str, Any]) -> None:
    table = artifacts
    ours = [table.c[name] == gone[name] for name in ("run_id", "attempt", "stream")]
    below = (table.c.name >= f"{gone['name']}/") & (table.c.name < f"{gone['name']}0")  # "0" follows "/"
    tx.execute(delete(table).where(*ours, table.c.offset < gone["offset"], (table.c.name == gone["name"]) | below))


# ---- sealing: full segments always, the begun one when its attempt has ended ----


def _unseal(tx: Connection, row: StreamRow) -> None:
    """More came after the end of the attempt: the segment that had been sealed before it was full is begun again."""
    if row.is_sealed:
        for table in (chunks, chunk_values):
            begun = table.c.segment >= row.sealed_segment
            tx.execute(
                delete(table).where(
                    table.c.run_id == row.run_id, table.c.attempt == row.attempt, table.c.stream == row.stream, begun
                )
            )
        row.is_sealed = False


def _seal_full(index: "Index", row: StreamRow, fresh: "Fresh", pending: Pending, *, known: int, before: bytes) -> None:
    """Seal every segment that got full. `fresh` is what came from byte `known` on, where the decoder was `before`."""
    full = row.decoder.offset // SEGMENT_BYTES
    if row.sealed_segment == full:
        return
    by_segment = fresh.rows
    if known > row.sealed_offset:
        earlier = _from_journal(index, row, end=known)
        if earlier is None:
            return
        by_segment = {segment: earlier.get(segment, []) + blocks for segment, blocks in by_segment.items()} | {
            segment: blocks for segment, blocks in earlier.items() if segment not in by_segment
        }
    add_chunks(row, {segment: blocks for segment, blocks in by_segment.items() if segment < full}, pending)
    mark_full(row, fresh, before=before)


def mark_full(row: StreamRow, fresh: "Fresh", *, before: bytes) -> None:
    """Remember that all full segments are in chunks. `before` is the decoder in front of what is fresh."""
    full = row.decoder.offset // SEGMENT_BYTES
    row.sealed_segment = full
    row.sealed_decoder = next((state for segment, state in reversed(fresh.decoders) if segment < full), before)
    row.sealed_offset = Decoder.resume(row.sealed_decoder).offset


def _seal_rest(index: "Index", rows: Iterable[StreamRow], pending: Pending) -> Iterator[StreamRow]:
    """Seal what is left of the streams of an ended attempt; gives those that changed."""
    for row in rows:
        if row.is_sealed:
            continue
        rest = _from_journal(index, row, end=row.decoder.offset)
        if rest is not None:
            add_chunks(row, rest, pending)
            row.is_sealed = True
            yield row


def _from_journal(index: "Index", row: StreamRow, *, end: int) -> dict[int, list[Rows]] | None:
    """The rows that are not sealed yet, by segment; None if the journal is not here, so that they stay unsealed."""
    decoder = Decoder.resume(row.sealed_decoder)
    data = reading.read_bytes(index.journal_path(row.run_id, row.attempt, row.stream), start=row.sealed_offset, end=end)
    by_segment: dict[int, list[Rows]] = {}
    for segment, items in decode_by_segment(decoder, data):
        blocks = [item for item in items if isinstance(item, Rows)]
        if blocks:
            by_segment.setdefault(segment, []).extend(blocks)
    return by_segment if decoder.offset == end else None


def add_chunks(row: StreamRow, by_segment: Mapping[int, Sequence[Rows]], pending: Pending) -> None:
    """Cut the points of segments into chunks."""
    for segment, blocks in sorted(by_segment.items()):
        shared, own = chunk_rows(row.identity, segment, blocks, prefix=key_prefix(row.stream))
        pending.add("chunks", shared)
        pending.add("chunk_values", own)


# ---- the run's own rows ----


def remerge(index: "Index", tx: Connection, states: Mapping[str, States]) -> None:
    """Bring the rows of runs to what their streams say (the states, by run); only what changed is written."""
    found = entries.stored(tx, list(states))
    missing = [index.read_spec(run_id) for run_id in states if run_id not in found]
    if missing:
        entries.insert_runs(tx, missing)
        found |= {spec.id: (spec, entries.just_made(spec)) for spec in missing}
    changes = []
    for run_id, of_run in states.items():
        spec, old = found[run_id]
        changes.append((spec, old, merged(index, tx, spec, of_run)))
    entries.change(tx, changes)


def merged(index: "Index", tx: Connection, spec: RunSpec, states: States) -> Merged:
    """What the run is. Its points that are sealed must be in their tables."""

    def trim(attempt: int, key: str, cut: int) -> MetricState | None:
        count = sum(s.metrics[key].count for (a, _), s in states.items() if a == attempt and key in s.metrics)
        return index.trimmed(tx, spec.id, attempt, key, cut=cut, count=count)

    return merge(spec, states, trim=trim)
