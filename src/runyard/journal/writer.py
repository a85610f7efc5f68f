"""Writing a journal: one record, one `write`.

There is no thread, no lock, no buffer and no socket here, because this runs inside training loops.
What a call has written survives SIGKILL, for it is in the file. When the disk is full the records
wait in memory, in order, and go out before the next one as soon as there is room.
"""

import errno
import fcntl
import os
import zlib
from itertools import count
from pathlib import Path
from struct import Struct
from time import time_ns
from typing import TYPE_CHECKING

import msgspec

from runyard.journal import format as fmt
from runyard.journal.events import Event, encode_event

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MAX_WAITING_BYTES = 64 << 20  # a million scalars; beyond it, records are dropped and counted
_FLUSH_BYTES = 1 << 20

_encode = msgspec.msgpack.Encoder().encode
_crc32 = zlib.crc32
_write = os.write


class Schema:
    """Keys that are logged together: their rows have one fixed layout."""

    __slots__ = ("_head", "_pack", "keys", "number", "size_bytes")

    def __init__(self, number: int, keys: tuple[str, ...]) -> None:
        self.number = number
        self.keys = keys
        self.size_bytes = fmt.ROW_OVERHEAD + 8 * len(keys)
        self._pack = Struct(f"<BBHIqq{len(keys)}d").pack
        self._head = (fmt.KIND_ROW, 0, number, self.size_bytes)

    def encode(self, step: int, time: int, values: "tuple[float, ...] | list[float]") -> bytes:
        """One row as bytes. Values may be anything with `__float__`."""
        body = self._pack(*self._head, step, time, *values)
        return body + _crc32(body, fmt.RESIDUE).to_bytes(4, "little")


class JournalWriter:
    """Appends to one stream of one attempt; the file is created if it does not exist.

    Safe with threads (every record is one `write` on an O_APPEND file). After a fork the child must
    open a stream of its own, because schema numbers would clash.
    """

    def __init__(self, path: "str | Path", *, run: str, attempt: int, stream: str) -> None:
        self.path = str(path)
        self._fd = _open_or_create(self.path, run=run, attempt=attempt, stream=stream)
        self._numbers = count()
        self._waiting = bytearray()  # what the disk did not take, in order; may begin within a record
        self.dropped = 0  # records that were given up because too many waited

    @property
    def fd(self) -> int:
        return self._fd

    @property
    def is_blocked(self) -> bool:
        """Whether records wait in memory because the disk takes none."""
        return bool(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        return len(self._waiting)

    def declare(self, keys: tuple[str, ...]) -> Schema:
        """Announce keys that are logged together.

        Raises:
            ValueError: more than 65,536 different sets of keys in one stream.
        """
        schema = Schema(next(self._numbers), keys)
        if schema.number >= fmt.MAX_SCHEMAS:
            raise ValueError("more than 65,536 different sets of keys in one stream")
        record = frame(fmt.KIND_SCHEMA, _encode(keys), schema=schema.number)
        if self._waiting:
            self._waiting += record  # never dropped: without it none of its rows could be read
        else:
            self.append(record)
        return schema

    def event(self, event: Event) -> None:
        """Append an event.

        Raises:
            ValueError: it is larger than 64 MiB.
        """
        self.append(frame(fmt.KIND_EVENT, encode_event(event)))

    def append(self, record: bytes) -> None:
        """Append bytes made by `frame` or `Schema.encode`; never raises for a full disk."""
        if self._waiting:
            self._wait(record)
            self.flush()
            return
        try:
            written = _write(self._fd, record)
        except OSError:
            written = 0
        if written != len(record):
            self.keep(record, written)

    def keep(self, record: bytes, written: int) -> None:
        """Keep in memory what is left of `record` after the disk took only `written` bytes of it."""
        if written:  # its rest must follow at once, also if another thread had to wait meanwhile
            self._waiting[:0] = record[written:]
        else:
            self._wait(record)

    def flush(self) -> bool:
        """Try to write what waits; whether nothing waits any more."""
        while self._waiting:
            try:
                written = _write(self._fd, bytes(self._waiting[:_FLUSH_BYTES]))
            except OSError:
                return False
            del self._waiting[:written]
        return True

    def close(self) -> None:
        """Close the file; what still waits is tried once more."""
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1

    def _wait(self, record: bytes) -> None:
        if len(self._waiting) + len(record) > MAX_WAITING_BYTES:
            self.dropped += 1
        else:
            self._waiting += record


class EncodedJournal:
    """Records of one stream in memory, for journals that are delivered and not written here.

    Whoever goes on with a stream begins anew with the numbers of schemas, which a reader takes as it comes to them.
    """

    def __init__(self, *, run: str, attempt: int, stream: str) -> None:
        self.run, self.attempt, self.stream = run, attempt, stream
        self._schemas: dict[tuple[str, ...], Schema] = {}
        self._records = bytearray()

    @property
    def size_bytes(self) -> int:
        """How much waits to be taken."""
        return len(self._records)

    def event(self, event: Event) -> None:
        """Add an event.

        Raises:
            ValueError: it is larger than 64 MiB.
        """
        self._records += frame(fmt.KIND_EVENT, encode_event(event))

    def row(self, keys: tuple[str, ...], step: int, time_ns: int, values: "tuple[float, ...] | list[float]") -> None:
        """Add a row. Keys are declared when they come for the first time."""
        self._records += self._schema(keys).encode(step, time_ns, values)

    def points(self, key: str, steps: "ArrayLike", times_ns: "ArrayLike", values: "ArrayLike") -> None:
        """Add points of one series, a row each: a fifth of the time of so many calls of `row`.

        Steps and times are whole numbers of 64 bits; all three have shape (n,).
        """
        from runyard.journal.columns import encode_points  # late: it needs NumPy, which a training process may lack

        self._records += encode_points(self._schema((key,)).number, steps, times_ns, values)

    def _schema(self, keys: tuple[str, ...]) -> Schema:
        schema = self._schemas.get(keys)
        if schema is None:
            if len(self._schemas) >= fmt.MAX_SCHEMAS:
                self._schemas.clear()  # numbers may be given anew: a reader goes by the latest declaration
            schema = self._schemas[keys] = Schema(len(self._schemas), keys)
            self._records += frame(fmt.KIND_SCHEMA, _encode(keys), schema=schema.number)
        return schema

    def take(self, *, with_header: bool) -> bytes:
        """The records so far, which are forgotten here; with a header they are the beginning of a journal."""
        head = b""
        if with_header:
            header = {"run": self.run, "attempt": self.attempt, "stream": self.stream, "created_ns": time_ns()}
            head = fmt.MAGIC + frame(fmt.KIND_HEADER, _encode(header))
        taken = head + bytes(self._records)
        self._records.clear()
        return taken


def frame(kind: int, body: bytes, *, schema: int = 0) -> bytes:
    """A whole record around `body`."""
    size = fmt.OVERHEAD + len(body)
    if size > fmt.MAX_RECORD_BYTES:
        raise ValueError(f"a record of {size:,} bytes; the largest is {fmt.MAX_RECORD_BYTES:,}. Log it as a file.")
    record = fmt.HEAD.pack(kind, 0, schema, size) + body
    return record + _crc32(record, fmt.RESIDUE).to_bytes(4, "little")


def is_untouched(path: Path) -> bool:
    """Whether a journal holds its header and nothing else."""
    with path.open("rb") as file:
        head = file.read(len(fmt.MAGIC) + fmt.HEAD.size)
        size = os.fstat(file.fileno()).st_size
    return len(head) == len(fmt.MAGIC) + fmt.HEAD.size and (
        size == len(fmt.MAGIC) + fmt.HEAD.unpack_from(head, len(fmt.MAGIC))[3]
    )


def append_event(
    path: Path, event: Event, *, run: str, attempt: int = 0, stream: str = "edits", durable: bool = True
) -> int:
    """Append one event to a journal that many processes share, all of it or nothing; return where it ends, in bytes.

    `durable` waits until it is on the disk; changes of a thousand runs at once do without.

    Raises:
        OSError: the disk did not take it.
    """
    record = frame(fmt.KIND_EVENT, encode_event(event))
    fd = _open_or_create(str(path), run=run, attempt=attempt, stream=stream)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # so that a failed append can be taken back
        size = os.fstat(fd).st_size
        try:
            if os.write(fd, record) != len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            if durable:
                os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
        return size + len(record)
    finally:
        os.close(fd)


def _open_or_create(path: str, *, run: str, attempt: int, stream: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    header = {"run": run, "attempt": attempt, "stream": stream, "created_ns": time_ns()}
    content = fmt.MAGIC + frame(fmt.KIND_HEADER, _encode(header))
    draft = f"{path}.{os.getpid()}.{time_ns()}"
    fd = os.open(draft, flags | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        os.link(draft, path)  # a journal appears with its header or not at all, also when two create it at once
        return fd
    except FileExistsError:
        os.close(fd)
        return os.open(path, flags)
    except OSError:
        os.close(fd)
        raise
    finally:
        os.unlink(draft)
