"""Reading series: sealed points from the database, the newest from the journals.

The index never copies what is not sealed yet; it knows up to which byte a journal was applied and
reads exactly so far, so that a series always agrees with the summary beside it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, select

from runyard.database.schema import chunk_values, chunks, streams
from runyard.index.chunks import CELL, MIN_PYRAMID, Cells, cells_of, stored_cells, unpack_floats, unpack_ints
from runyard.index.series import (
    Buckets,
    Part,
    Series,
    between,
    buckets_of_cells,
    buckets_of_series,
    empty_series,
    join_parts,
    step_range,
)
from runyard.index.states import key_prefix
from runyard.journal.reader import Decoder, Rows

JournalPath = Callable[[str, int, str], Path]  # run, attempt, stream -> where its journal lies

Span = tuple[int | None, int | None]  # first and last step, both included; None: no border

_AnyRow = Any  # a Row of named columns; SQLAlchemy types them by position only
_AT_ONCE = 500  # ids in one statement

_same_chunk = and_(
    chunks.c.run_id == chunk_values.c.run_id,
    chunks.c.attempt == chunk_values.c.attempt,
    chunks.c.stream == chunk_values.c.stream,
    chunks.c.segment == chunk_values.c.segment,
    chunks.c.block == chunk_values.c.block,
)
_place = (chunk_values.c.run_id, chunk_values.c.attempt, chunk_values.c.stream, chunk_values.c.segment)
_with_values = (
    select(*_place, chunks.c.steps, chunks.c.times, chunk_values.c["values"])
    .select_from(chunk_values.join(chunks, _same_chunk))
    .order_by(*_place, chunk_values.c.block)
)
_with_cells = (
    select(*_place, chunk_values.c.block, chunks.c.count.label("points"), chunks.c.cells, chunk_values.c.pyramid)
    .select_from(chunk_values.join(chunks, _same_chunk))
    .order_by(*_place, chunk_values.c.block)
)
_unsealed = select(
    streams.c.run_id,
    streams.c.attempt,
    streams.c.stream,
    streams.c.offset,
    streams.c.sealed_offset,
    streams.c.sealed_decoder,
).where(streams.c.is_sealed.is_(False), streams.c.offset > streams.c.sealed_offset)


def read_many(
    tx: Connection,
    journal: JournalPath,
    run_ids: Sequence[str],
    key: str,
    *,
    attempt: int | None = None,
    segments: Collection[int] | None = None,
    span: Span = (None, None),
) -> dict[str, Series]:
    """The whole series of each run that has it, in the order of the ids.

    Args:
        segments: only chunks of these. `span`: of them, points outside of these steps may be left out.
    """
    parts: dict[str, list[Part]] = {run_id: [] for run_id in run_ids}
    for begin in range(0, len(run_ids), _AT_ONCE):
        ids = run_ids[begin : begin + _AT_ONCE]
        _collect_sealed(tx, parts, ids, key, attempt, segments, span)
        _collect_tails(tx, journal, parts, ids, key, attempt)
    return {run_id: join_parts(found) for run_id, found in parts.items() if found}


def read_buckets(
    tx: Connection,
    journal: JournalPath,
    run_ids: Sequence[str],
    key: str,
    *,
    buckets: int,
    start: int | None = None,
    stop: int | None = None,
) -> dict[str, Buckets]:
    """At most `buckets` buckets of each run's series between two steps: from the pyramids, if those are fine enough.

    Runs without the metric are missing.
    """
    found: dict[str, Buckets] = {}
    for begin in range(0, len(run_ids), _AT_ONCE):
        ids = run_ids[begin : begin + _AT_ONCE]
        coarse: list[str] = []
        segments: set[int] | None = set()
        for run_id, whole in _cells(tx, journal, ids, key).items():
            cells = _cells_between(whole.cells if whole else None, start, stop)
            if cells is not None and sum(len(cell.counts) for cell in cells) >= buckets:
                found[run_id] = buckets_of_cells(cells, buckets)
                continue
            coarse.append(run_id)
            if whole is None:
                segments = None  # attempts must be joined, which takes all points
            elif segments is not None:
                segments |= whole.segments_between(start, stop)
        span = (None, None) if segments is None else (start, stop)
        for run_id, series in read_many(tx, journal, coarse, key, segments=segments, span=span).items():
            found[run_id] = buckets_of_series(between(series, start, stop), buckets)
        for run_id in coarse:
            found.setdefault(run_id, buckets_of_series(empty_series(), buckets))  # no point in that part
    return found


def _collect_sealed(
    tx: Connection,
    parts: dict[str, list[Part]],
    ids: Sequence[str],
    key: str,
    attempt: int | None,
    segments: Collection[int] | None,
    span: Span,
) -> None:
    found = _with_values.where(chunk_values.c.run_id.in_(ids), chunk_values.c.key == key)
    if attempt is not None:
        found = found.where(chunk_values.c.attempt == attempt)
    if segments is not None:
        found = found.where(chunk_values.c.segment.between(min(segments, default=0), max(segments, default=-1)))
    for place, group in groupby(tx.execute(found), key=lambda row: tuple(row[:4])):
        rows = list(group)
        for row in rows:
            part = Part(
                attempt=place[1],
                stream=place[2],
                is_mixed=len(rows) > 1,
                steps=unpack_ints(row.steps),
                times=unpack_ints(row.times),
                values=unpack_floats(row.values),
            )
            parts[place[0]].append(_cut(part, span))


def _cut(part: Part, span: Span) -> Part:
    """What is in the span: less to join."""
    kept = step_range(part.steps, *span)
    if kept is None:
        return part
    return replace(part, steps=part.steps[kept], times=part.times[kept], values=part.values[kept])


def _collect_tails(
    tx: Connection,
    journal: JournalPath,
    parts: dict[str, list[Part]],
    ids: Sequence[str],
    key: str,
    attempt: int | None,
) -> None:
    found = _unsealed.where(streams.c.run_id.in_(ids)).order_by(streams.c.run_id, streams.c.attempt, streams.c.stream)
    if attempt is not None:
        found = found.where(streams.c.attempt == attempt)
    for row in tx.execute(found):
        if key.startswith(key_prefix(row.stream)):
            path = journal(row.run_id, row.attempt, row.stream)
            parts[row.run_id] += _tail_parts(row, path, key.removeprefix(key_prefix(row.stream)))


def _tail_parts(row: _AnyRow, path: Path, key: str) -> Iterator[Part]:
    data = read_bytes(path, start=row.sealed_offset, end=row.offset)
    items = Decoder.resume(row.sealed_decoder).feed(data)
    blocks = [item for item in items if isinstance(item, Rows) and key in item.keys]
    is_mixed = len({block.keys for block in blocks}) > 1
    for block in blocks:
        values = block.values[:, block.keys.index(key)]
        yield Part(row.attempt, row.stream, is_mixed, block.steps, block.times, values)


def read_bytes(path: Path, *, start: int, end: int) -> bytes:
    """A piece of a journal; less than was asked for if the file is shorter or gone."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)
    except FileNotFoundError:
        return b""


@dataclass(frozen=True)
class _Whole:
    """A series in cells; `first_cells` holds for each of its chunks its segment and where its cells begin."""

    cells: list[Cells]
    first_cells: list[tuple[int, int]]

    def segments_between(self, start: int | None, stop: int | None) -> set[int]:
        """The segments with points whose step is in [start, stop]."""
        if not self.first_cells:
            return set()
        spans = np.concatenate([cell.spans for cell in self.cells])
        begins = [begin for _, begin in self.first_cells]
        firsts = np.minimum.reduceat(spans[:, 0], begins)
        lasts = np.maximum.reduceat(spans[:, 1], begins)
        mask = np.ones(len(begins), bool)
        if start is not None:
            mask &= lasts >= start
        if stop is not None:
            mask &= firsts <= stop
        return {segment for (segment, _), is_in in zip(self.first_cells, mask.tolist(), strict=True) if is_in}


def _cells(tx: Connection, journal: JournalPath, ids: Sequence[str], key: str) -> dict[str, _Whole | None]:
    """The series of the runs that have it in cells; None if only its points tell, because pieces must be merged."""
    found = _with_cells.where(chunk_values.c.run_id.in_(ids), chunk_values.c.key == key)
    rows: dict[str, list[_AnyRow]] = {run_id: [] for run_id in ids}
    for row in tx.execute(found).all():  # at once: one by one takes longer than the rest
        rows[row.run_id].append(row)
    tails: dict[str, list[Part]] = {run_id: [] for run_id in ids}
    _collect_tails(tx, journal, tails, ids, key, None)
    return {
        run_id: _cells_of_run(tx, rows[run_id], tails[run_id], key) for run_id in ids if rows[run_id] or tails[run_id]
    }


def _cells_of_run(tx: Connection, rows: Sequence[_AnyRow], tail: Sequence[Part], key: str) -> _Whole | None:
    places = {(row.attempt, row.stream) for row in rows} | {(part.attempt, part.stream) for part in tail}
    segments = {row.segment for row in rows}
    if len(places) != 1 or len(segments) != len(rows) or any(part.is_mixed for part in tail):
        return None
    cells: list[Cells] = []
    first_cells: list[tuple[int, int]] = []
    begin = 0
    for has_pyramid, group in groupby(rows, key=lambda row: row.points >= MIN_PYRAMID):
        chunk_rows = list(group)
        for row in chunk_rows:
            first_cells.append((row.segment, begin))
            begin += -(-row.points // CELL)
        if has_pyramid:  # neighbours in one piece: there are many of them
            cells.append(
                stored_cells(
                    counts=[row.points for row in chunk_rows],
                    cells=b"".join([row.cells for row in chunk_rows]),
                    pyramid=b"".join([row.pyramid for row in chunk_rows]),
                )
            )
        else:
            cells += [_cells_of_chunk(tx, row, key) for row in chunk_rows]
    series = join_parts(tail)
    return _Whole(cells + ([cells_of(series.steps, series.times, series.values)] if len(series) else []), first_cells)


def _cells_of_chunk(tx: Connection, row: _AnyRow, key: str) -> Cells:
    whole = tx.execute(
        _with_values.where(
            chunk_values.c.run_id == row.run_id,
            chunk_values.c.key == key,
            chunk_values.c.attempt == row.attempt,
            chunk_values.c.stream == row.stream,
            chunk_values.c.segment == row.segment,
            chunk_values.c.block == row.block,
        )
    ).one()
    return cells_of(unpack_ints(whole.steps), unpack_ints(whole.times), unpack_floats(whole.values))


def _cells_between(cells: list[Cells] | None, start: int | None, stop: int | None) -> list[Cells] | None:
    """The cells that touch the steps from `start` to `stop`."""
    if cells is None or (start is None and stop is None):
        return cells
    kept = []
    for cell in cells:
        mask = cell.counts > 0
        if start is not None:
            mask &= cell.spans[:, 1] >= start
        if stop is not None:
            mask &= cell.spans[:, 0] <= stop
        kept.append(Cells(cell.spans[mask], cell.numbers[mask], cell.counts[mask]))
    return kept
