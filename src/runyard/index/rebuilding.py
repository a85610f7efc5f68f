"""Rebuilding: many runs from their folders in one transaction, with the rows that `apply` would have made.

Nothing that is written is read again, except where attempts overlap; so a run costs little more than its rows.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from runyard.errors import FormatUnknown, JournalDamaged, NotFound
from runyard.index import entries, writing
from runyard.index.chunks import SEGMENT_BYTES
from runyard.index.folders import read_pieces
from runyard.index.merge import Merged, States, cut_of, ended_attempts
from runyard.index.states import StreamState, decode_state, encode_state
from runyard.index.writing import Pending, StreamRow, fold_fresh
from runyard.journal.reader import Decoder, Rows
from runyard.records import RunSpec

if TYPE_CHECKING:
    from runyard.index.index import Index

Journal = tuple[int, str, Path]  # attempt, stream, file

RUNS_AT_ONCE = 200
BYTES_AT_ONCE = 4 << 20  # some tenths of a second, so that other writers get their turn


class Rebuild:
    """Replaces the rows of runs; `finish` writes what was gathered."""

    def __init__(self, index: "Index", tx: Connection) -> None:
        self._index = index
        self._tx = tx
        self._outdated: list[str] = []  # runs whose rows are still to be removed
        self._pending = Pending()
        self._found: list[tuple[RunSpec, Merged]] = []
        self._size_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to finish."""
        return len(self._found) >= RUNS_AT_ONCE or self._size_bytes >= BYTES_AT_ONCE

    def add(self, run_id: str, journals: Iterable[Journal]) -> None:
        """Add a run with what its journals say; of a damaged one, what stands before the damage.

        Raises:
            NotFound: there is no run.json, or
            JournalDamaged: none that can be read; the run is left out.
        """
        self._outdated.append(run_id)
        spec = self._index.read_spec(run_id)
        streams = [self._fold(run_id, journal) for journal in journals]
        known = [stream for stream in streams if stream.row.decoder.offset]
        states: States = {(each.row.attempt, each.row.stream): each.row.state for each in known}
        ended = ended_attempts(states)
        for stream in known:
            if stream.row.attempt in ended:
                stream.seal_rest(self._pending)
        self._pending.add("streams", [stream.row.columns for stream in known])
        if _overlap(states):
            self._write_streams()  # they are summed up from there
        self._found.append((spec, writing.merged(self._index, self._tx, spec, states)))
        self._size_bytes += sum(stream.row.decoder.offset for stream in known)

    def finish(self) -> None:
        """Write."""
        self._write_streams()
        entries.insert_merged(self._tx, self._found)

    def _write_streams(self) -> None:
        self._index.remove(self._outdated, connection=self._tx)
        self._outdated.clear()
        self._pending.insert(self._tx)

    def _fold(self, run_id: str, journal: Journal) -> "_Stream":
        attempt, name, path = journal
        stream = _Stream(StreamRow(run_id, attempt, name, Decoder(), StreamState()))
        try:
            read_pieces(path, 0, lambda _, data: stream.feed(data, self._pending))
        except (JournalDamaged, FormatUnknown, NotFound):
            pass  # the run is shown with what its other streams say
        return stream


class _Stream:
    """A stream on its way into rows, with the points that are not sealed yet."""

    def __init__(self, row: StreamRow) -> None:
        self.row = row
        self._rest: dict[int, list[Rows]] = {}

    def feed(self, data: bytes, pending: Pending) -> int:
        """Take the next piece; return up to where the stream is understood. A damaged piece leaves nothing."""
        row, fresh_rows = self.row, Pending()
        before = row.decoder.state()
        state = encode_state(row.state) if row.decoder.offset else None
        try:
            fresh = fold_fresh(row, data, fresh_rows)
        except (JournalDamaged, FormatUnknown):
            row.decoder = Decoder.resume(before)
            row.state = decode_state(state) if state else StreamState()
            raise
        for segment, blocks in fresh.rows.items():
            self._rest.setdefault(segment, []).extend(blocks)
        pending.take(fresh_rows)
        full = row.decoder.offset // SEGMENT_BYTES
        if row.sealed_segment != full:
            sealed = {segment: self._rest.pop(segment) for segment in list(self._rest) if segment < full}
            writing.add_chunks(row, sealed, pending)
            writing.mark_full(row, fresh, before=before)
        return row.decoder.offset

    def seal_rest(self, pending: Pending) -> None:
        """The attempt has ended: the begun segment is sealed, too."""
        writing.add_chunks(self.row, self._rest, pending)
        self.row.is_sealed = True


def _overlap(states: States) -> bool:
    """Whether a later attempt replaces points of an earlier one, so that some must be summed up anew."""
    return any(
        cut is not None and metric.highest_step >= cut
        for (attempt, _), state in states.items()
        for key, metric in state.metrics.items()
        for cut in [cut_of(states, attempt, key)]
    )
