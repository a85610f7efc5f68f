"""Taking journals in that were written elsewhere: by supervisors on other machines, through the server.

The client says from which byte on it has something. What is appended is first synced to the disk, then understood by
the index, and only then acknowledged; so what a receipt says is kept survives everything, and a piece that comes twice
changes nothing. The index's offset is what counts: bytes behind it were never acknowledged, and are written anew.

Many pieces at once cost one sync a file, one transaction and a handful of statements, which is what lets a small server
take hundreds of runs.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, InterfaceError

from runyard.database import lock_runs
from runyard.errors import ConflictError, JournalDamaged, RunyardError, UsageError
from runyard.journal import RunFolder
from runyard.journal.pieces import MAX_ATTEMPT, Piece, Receipt, is_stream
from runyard.journal.reader import is_damaged

if TYPE_CHECKING:
    from runyard.client.client import Client

_SYNCING = 4  # threads: 64 files take 5 to 12 ms instead of 100 to 160 (ext4)
_UNFIT = (ValueError, OverflowError, TypeError, DataError, InterfaceError)  # numbers beyond 64 bits, text with NUL …


@dataclass
class _Held:
    """A piece whose journal is open and locked."""

    number: int
    piece: Piece
    fd: int
    edits: Path


@dataclass
class _Open(_Held):
    """One that was written, as far as it is new: `fresh` from byte `start` on."""

    start: int
    fresh: bytes

    @property
    def portion(self) -> Piece:
        """What is new, for the index."""
        return Piece(self.piece.run_id, self.piece.attempt, self.piece.stream, self.start, self.fresh)


def take(client: "Client", pieces: Sequence[Piece]) -> list[Receipt]:
    """Keep the pieces; one receipt for each, in their order. One that cannot be taken keeps no other from it.

    Raises:
        OSError: the disk did not take them; nothing is acknowledged, and all may come again.
    """
    receipts: dict[int, Receipt] = {}
    with ExitStack() as stack:
        held: list[_Held] = []
        for number, piece in _in_order_of_files(pieces):
            try:
                held.append(_hold(client, number, piece, stack))
            except RunyardError as problem:
                receipts[number] = _refused(problem)
        known = client.index.offsets({each.piece.run_id for each in held})
        opened: list[_Open] = []
        for each in held:
            piece = each.piece
            try:
                opened.append(_write(client, each, known.get((piece.run_id, piece.attempt, piece.stream), 0)))
            except RunyardError as problem:
                receipts[each.number] = _refused(problem)
        _sync([each.fd for each in opened if each.fresh])
        with client.database.transaction() as tx:
            lock_runs(tx, [each.piece.run_id for each in opened])
            receipts |= _understood(client, tx, opened)
    return [receipts[number] for number in range(len(pieces))]


def _sync(fds: Sequence[int]) -> None:
    """Wait until the disk has all of these files; asked together, a journalling file system takes them in one go."""
    shares = [share for number in range(_SYNCING) if (share := fds[number::_SYNCING])]
    if len(shares) < 2:
        _sync_each(fds)
        return
    with ThreadPoolExecutor(len(shares), "sync") as threads:
        for future in [threads.submit(_sync_each, share) for share in shares]:
            future.result()


def _sync_each(fds: Sequence[int]) -> None:
    for fd in fds:
        os.fdatasync(fd)


def _understood(client: "Client", tx: Connection, opened: Sequence[_Open]) -> dict[int, Receipt]:
    """Let the index understand all pieces at once, or one by one if there is one among them that it refuses."""
    try:
        with tx.begin_nested():
            ends = client.index.apply_many([each.portion for each in opened], connection=tx)
    except (RunyardError, *_UNFIT):
        return {each.number: _understood_alone(client, tx, each) for each in opened}
    return {each.number: _receipt(each, end) for each, end in zip(opened, ends, strict=True)}


def _understood_alone(client: "Client", tx: Connection, each: _Open) -> Receipt:
    try:
        with tx.begin_nested():
            (end,) = client.index.apply_many([each.portion], connection=tx)
        return _receipt(each, end)
    except RunyardError as problem:
        os.ftruncate(each.fd, each.start)
        return Receipt(each.start, str(problem), type(problem).__name__)
    except _UNFIT as problem:
        os.ftruncate(each.fd, each.start)
        sentence = f"The records from byte {each.start} on hold a value that cannot be kept: {problem}."
        return Receipt(each.start, sentence, JournalDamaged.__name__)


def _in_order_of_files(pieces: Sequence[Piece]) -> Iterator[tuple[int, Piece]]:
    """Two servers that lock the same files do so in the same order. A file comes once: its later pieces wait."""
    seen = set()
    for number, piece in sorted(enumerate(pieces), key=lambda item: (item[1].run_id, item[1].attempt, item[1].stream)):
        place = (piece.run_id, piece.attempt, piece.stream)
        if place in seen:
            raise ValueError("a stream may appear only once in a delivery")
        seen.add(place)
        yield number, piece


def _hold(client: "Client", number: int, piece: Piece, stack: ExitStack) -> _Held:
    """Open and lock the journal of a piece."""
    folder = _folder(client, piece)
    attempt = folder.attempt(piece.attempt)
    if not attempt.is_delivered:
        if attempt.path.exists():
            raise ConflictError(
                f"Attempt {piece.attempt} of run {piece.run_id} is executed by the server's own machine."
            )
        attempt.mark_delivered()
    fd = stack.enter_context(_locked(attempt.journal(piece.stream)))
    return _Held(number, piece, fd, folder.edits)


def _write(client: "Client", held: _Held, known: int) -> _Open:
    """Write what is new, not synced yet. `known` is what the index has understood since the journal is locked."""
    piece, fd = held.piece, held.fd
    size = os.fstat(fd).st_size
    if known < size:  # a server was killed between writing and understanding, or the index is being rebuilt
        client.index.catch_up(piece.run_id)
        known = client.index.offset(piece.run_id, piece.attempt, piece.stream)
        if known < size:
            os.ftruncate(fd, known)
    elif known > size:  # somebody repaired the journal, or restored an old one: it is fetched again from there
        client.index.catch_up(piece.run_id)
        known = client.index.offset(piece.run_id, piece.attempt, piece.stream)
    if piece.offset > known:
        return _Open(held.number, piece, fd, held.edits, known, b"")
    fresh = piece.data[known - piece.offset :]
    written = 0
    while written < len(fresh):
        written += os.pwrite(fd, fresh[written:], known + written)
    return _Open(held.number, piece, fd, held.edits, known, fresh)


def _folder(client: "Client", piece: Piece) -> RunFolder:
    if not 1 <= piece.attempt <= MAX_ATTEMPT or piece.offset < 0:
        raise UsageError(f"There is no byte {piece.offset} of an attempt {piece.attempt}.")
    if not is_stream(piece.stream) or piece.stream == "edits":
        raise UsageError(f"'{piece.stream[:60]}' is no stream that a machine may deliver.")
    return client.folder(piece.run_id)


@contextmanager
def _locked(path: "os.PathLike[str]") -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _receipt(each: _Open, end: int) -> Receipt:
    piece = each.piece
    whole = each.start + len(each.fresh)
    problem = ""
    if end < whole:
        os.ftruncate(each.fd, end)
        if is_damaged(each.fresh[end - each.start :]):
            problem = (
                f"Bytes {end} to {whole} of {piece.run_id}/{piece.attempt}/{piece.stream} do not match their checksum."
            )
    return Receipt(end, problem, JournalDamaged.__name__ if problem else "", _edits_bytes(each.edits))


def _refused(problem: RunyardError) -> Receipt:
    return Receipt(0, str(problem), type(problem).__name__)


def _edits_bytes(edits: Path) -> int:
    try:
        return os.stat(edits).st_size
    except FileNotFoundError:
        return 0
