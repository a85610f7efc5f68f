"""Writing rows: what `Index.apply` and `Index.add_runs` do within their transaction."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from runyard.database import upsert
from runyard.database.schema import (
    artifacts,
    chunk_values,
    chunks,
    media,
    run_config,
    run_documents,
    run_metrics,
    run_tags,
    runs,
    streams,
)
from runyard.errors import JournalDamaged
from runyard.index import reading
from runyard.index.chunks import SEGMENT_BYTES, chunk_rows, decode_by_segment
from runyard.index.diff import flatten
from runyard.index.fold import MetricState, StreamState, decode_state, encode_state, fold, key_prefix
from runyard.index.merge import Merged, States, decode_merged, encode_merged, ended_attempts, merge
from runyard.index.rows import MetricSummary, to_ns
from runyard.journal.events import ArtifactStored, Media
from runyard.journal.reader import Decoder, EventAt, Header, Rows
from runyard.records import RunSpec, decode_spec

if TYPE_CHECKING:
    from runyard.index.index import Index

_LARGEST_INTEGER = 2**63 - 1
_new_decoder = Decoder().state()

# built once: building a statement costs more than executing it
_DOCUMENTS = select(run_documents.c.spec, run_documents.c.merged).where(run_documents.c.run_id == bindparam("asked"))
_UPDATE_DOCUMENT = update(run_documents).where(run_documents.c.run_id == bindparam("asked"))
_STREAMS = select(streams).where(streams.c.run_id == bindparam("asked"))


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


def insert_runs(tx: Connection, specs: Sequence[RunSpec]) -> None:
    """Add runs that are not known yet, as if nothing had happened to them."""
    merged = [merge(spec, {}, trim=_nothing_to_trim) for spec in specs]
    pairs = list(zip(specs, merged, strict=True))
    if not pairs:
        return
    tx.execute(insert(runs), [_run_columns(spec, found) for spec, found in pairs])
    documents = [
        {"run_id": spec.id, "spec": msgspec.json.encode(spec), "merged": encode_merged(found)} for spec, found in pairs
    ]
    tx.execute(insert(run_documents), documents)
    _insert_all(tx, run_tags, [{"run_id": spec.id, "tag": tag} for spec, found in pairs for tag in found.tags])
    settings = [_config_columns(spec.id, key, value) for spec in specs for key, value in flatten(spec.config).items()]
    _insert_all(tx, run_config, settings)


def apply(index: "Index", tx: Connection, run_id: str, attempt: int, stream: str, offset: int, data: bytes) -> int:
    """See `Index.apply`."""
    rows = load_streams(tx, run_id)
    row = rows.get((attempt, stream)) or StreamRow(run_id, attempt, stream, Decoder(), StreamState())
    known = row.decoder.offset
    if offset > known:
        raise ValueError(f"bytes {known} to {offset} of {run_id}/{attempt}/{stream} are missing")
    fresh = data[known - offset :] if offset < known else data
    if not fresh:
        return known
    before = row.decoder.state()
    found = _fold_fresh(tx, row, fresh)
    if row.decoder.offset == known:
        return known
    _check_header(row)
    rows[attempt, stream] = row
    _unseal(tx, row)
    _seal_full(index, tx, row, found, known=known, before=before)
    _save_stream(tx, row)
    states: States = {identity: other.state for identity, other in rows.items()}
    ended = ended_attempts(states)
    _seal_rest(index, tx, [other for (number, _), other in rows.items() if number in ended])
    remerge(index, tx, run_id, states)
    return row.decoder.offset


def load_states(tx: Connection, run_id: str) -> dict[tuple[int, str], StreamState]:
    """The states of all streams of a run."""
    found = select(streams.c.attempt, streams.c.stream, streams.c.state).where(streams.c.run_id == run_id)
    return {(row.attempt, row.stream): decode_state(row.state) for row in tx.execute(found)}


def load_streams(tx: Connection, run_id: str) -> dict[tuple[int, str], StreamRow]:
    """All streams of a run."""
    return {
        (row.attempt, row.stream): StreamRow(
            run_id=run_id,
            attempt=row.attempt,
            stream=row.stream,
            decoder=Decoder.resume(row.decoder),
            state=decode_state(row.state),
            sealed_offset=row.sealed_offset,
            sealed_segment=row.sealed_segment,
            sealed_decoder=row.sealed_decoder,
            is_sealed=row.is_sealed,
        )
        for row in tx.execute(_STREAMS, {"asked": run_id})
    }


def forget_stream(tx: Connection, run_id: str, attempt: int, stream: str) -> None:
    """Remove all that came from one stream, so that it can be applied from its beginning."""
    for table in (streams, chunks, chunk_values, media, artifacts):
        tx.execute(delete(table).where(table.c.run_id == run_id, table.c.attempt == attempt, table.c.stream == stream))


# ---- folding ----


class Fresh(msgspec.Struct):
    """What a delivery brought: rows by the segment in which they end, and the decoder behind each segment."""

    rows: dict[int, list[Rows]] = {}
    decoders: list[tuple[int, bytes]] = []


def _fold_fresh(tx: Connection, row: StreamRow, data: bytes) -> Fresh:
    """Decode and fold."""
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
    _insert_all(tx, media, found_media)
    _insert_all(tx, artifacts, found_artifacts)
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


def _seal_full(index: "Index", tx: Connection, row: StreamRow, fresh: "Fresh", *, known: int, before: bytes) -> None:
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
    _insert_chunks(tx, row, {segment: blocks for segment, blocks in by_segment.items() if segment < full})
    row.sealed_segment = full
    row.sealed_decoder = next((state for segment, state in reversed(fresh.decoders) if segment < full), before)
    row.sealed_offset = Decoder.resume(row.sealed_decoder).offset


def _seal_rest(index: "Index", tx: Connection, rows: Iterable[StreamRow]) -> None:
    """Seal what is left of the streams of an ended attempt."""
    for row in rows:
        if row.is_sealed:
            continue
        rest = _from_journal(index, row, end=row.decoder.offset)
        if rest is not None:
            _insert_chunks(tx, row, rest)
            row.is_sealed = True
            _save_stream(tx, row)


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


def _insert_chunks(tx: Connection, row: StreamRow, by_segment: Mapping[int, list[Rows]]) -> None:
    for segment, blocks in sorted(by_segment.items()):
        shared, own = chunk_rows(row.identity, segment, blocks, prefix=key_prefix(row.stream))
        _insert_all(tx, chunks, shared)
        _insert_all(tx, chunk_values, own)


def _save_stream(tx: Connection, row: StreamRow) -> None:
    columns = {
        "offset": row.decoder.offset,
        "decoder": row.decoder.state(),
        "state": encode_state(row.state),
        "sealed_offset": row.sealed_offset,
        "sealed_segment": row.sealed_segment,
        "sealed_decoder": row.sealed_decoder,
        "is_sealed": row.is_sealed,
    }
    upsert(tx, streams, [row.identity | columns])


# ---- the run's own rows ----


def remerge(index: "Index", tx: Connection, run_id: str, states: States) -> None:
    """Bring the rows of the run to what its streams say; only what changed is written."""
    found = tx.execute(_DOCUMENTS, {"asked": run_id}).one_or_none()
    if found is None:
        spec = index.read_spec(run_id)
        insert_runs(tx, [spec])
        old = merge(spec, {}, trim=_nothing_to_trim)
    else:
        spec, old = decode_spec(found.spec), decode_merged(found.merged)

    def trim(attempt: int, key: str, cut: int) -> MetricState | None:
        count = sum(s.metrics[key].count for (a, _), s in states.items() if a == attempt and key in s.metrics)
        return index.trimmed(tx, run_id, attempt, key, cut=cut, count=count)

    new = merge(spec, states, trim=trim)
    tx.execute(_UPDATE_DOCUMENT, {"asked": run_id, "merged": encode_merged(new)})
    columns = _run_columns(spec, new)
    if columns != _run_columns(spec, old):
        upsert(tx, runs, [columns])
    _write_tags(tx, run_id, old, new)
    _write_metrics(tx, run_id, old, new)


def _write_tags(tx: Connection, run_id: str, old: Merged, new: Merged) -> None:
    gone = set(old.tags) - set(new.tags)
    if gone:
        tx.execute(delete(run_tags).where(run_tags.c.run_id == run_id, run_tags.c.tag.in_(gone)))
    _insert_all(tx, run_tags, [{"run_id": run_id, "tag": tag} for tag in new.tags if tag not in old.tags])


def _write_metrics(tx: Connection, run_id: str, old: Merged, new: Merged) -> None:
    gone = old.summary.keys() - new.summary.keys()
    if gone:
        tx.execute(
            delete(run_metrics).where(run_metrics.c.run_id == run_id, run_metrics.c.key == bindparam("gone")),
            [{"gone": key} for key in gone],
        )
    changed = [(key, summary) for key, summary in new.summary.items() if old.summary.get(key) != summary]
    upsert(tx, run_metrics, [_metric_columns(run_id, key, summary) for key, summary in changed])


def _run_columns(spec: RunSpec, merged: Merged) -> dict[str, Any]:
    return {
        "id": spec.id,
        "project": spec.project,
        "name": merged.name,
        "experiment": spec.experiment,
        "grid": spec.grid,
        "kind": spec.kind,
        "state": str(merged.state),
        "reason": merged.reason,
        "attempt": merged.attempt,
        "created_ns": to_ns(spec.created_at),
        "started_ns": merged.started_ns,
        "ended_ns": merged.ended_ns,
        "duration_s": merged.duration_s,
        "user": merged.user,
        "host": merged.host,
        "seed": spec.seed if spec.seed is not None and abs(spec.seed) <= _LARGEST_INTEGER else None,
        "note": merged.note,
        "config_id": spec.config_id,
        "group": spec.group,
        "code_id": spec.code.code_id,
        "fingerprint": merged.fingerprint,
        "data": spec.data,
        "is_trashed": merged.is_trashed,
    }


def _metric_columns(run_id: str, key: str, summary: MetricSummary) -> dict[str, Any]:
    columns = msgspec.structs.asdict(summary)
    columns["last"] = None if math.isnan(summary.last) else summary.last
    return {"run_id": run_id, "key": key} | columns


def _config_columns(run_id: str, key: str, value: object) -> dict[str, Any]:
    columns: dict[str, Any] = {"run_id": run_id, "key": key, "number": None, "text": None, "flag": None}
    if isinstance(value, bool):
        columns["flag"] = value
    elif isinstance(value, int | float):
        columns["number"] = _as_float(value)
    elif isinstance(value, str):
        columns["text"] = value
    elif value is not None:
        columns["text"] = msgspec.json.encode(value).decode()  # a list is compared as a whole
    return columns


def _as_float(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(number) else number


def _insert_all(tx: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        tx.execute(insert(table), rows)


def _nothing_to_trim(attempt: int, key: str, cut: int) -> None:
    return None
