"""Reading a journal: bytes in, blocks of rows and events out.

A `Decoder` is fed consecutive bytes of one stream and remembers between the calls what it must
(the declared keys), so that an index can go on at any offset. It never guesses: it stops in front
of the first record that is incomplete or damaged, and says how far it came.
"""

import itertools
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runyard.errors import FormatUnknown, JournalDamaged
from runyard.journal import format as fmt
from runyard.journal.events import KNOWN_EVENTS, AnyEvent, decode_event

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runyard.journal.arrays import FloatArray, IntArray

_LONGEST_CYCLE = 8  # loops that log up to eight different rows in turn still decode as arrays
_decode = msgspec.msgpack.Decoder().decode
_decode_keys = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class Header(msgspec.Struct, frozen=True):
    """The first record: whose journal this is."""

    run: str
    attempt: int
    stream: str
    created_ns: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Neighbouring rows with the same keys.

    `steps` and `times` (nanoseconds, UTC) have shape (n,), `values` has shape (n, len(keys)).
    """

    offset: int
    keys: tuple[str, ...]
    steps: "IntArray"
    times: "IntArray"
    values: "FloatArray"


@dataclass(frozen=True, slots=True)
class EventAt:
    """An event and where its record lies in the stream, in bytes."""

    offset: int
    size: int
    event: AnyEvent


class Decoder:
    """Decodes one stream piece by piece.

    Attributes:
        offset: how many bytes of the stream were understood so far.
        header: known as soon as the first piece was fed.
        problem: why decoding cannot go on although bytes remain; empty if it merely waits for more.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.header: Header | None = None
        self.problem = ""
        self._schemas: dict[int, tuple[str, ...]] = {}

    def state(self) -> bytes:
        """What `Decoder.resume` needs to go on at `offset`."""
        return msgspec.msgpack.encode((self.offset, self.header, self._schemas))

    @classmethod
    def resume(cls, state: bytes) -> "Decoder":
        """A decoder that goes on where another stopped."""
        decoder = cls()
        decoder.offset, decoder.header, decoder._schemas = msgspec.msgpack.decode(
            state, type=tuple[int, Header | None, dict[int, tuple[str, ...]]]
        )
        return decoder

    def feed(self, data: bytes) -> list[Rows | EventAt]:
        """Decode `data`, the bytes of the stream from `offset` on.

        What was not understood (an incomplete tail) must be fed again, with more behind it.

        Raises:
            FormatUnknown: a newer Runyard wrote it.
            JournalDamaged: it does not begin like a journal.
        """
        self.problem = ""
        items: list[Rows | EventAt] = []
        position = 0
        if self.offset == 0:
            if len(data) < len(fmt.MAGIC):
                return items
            _check_magic(data)
            position = len(fmt.MAGIC)
        start = self.offset
        end = len(data)
        while end - position >= fmt.OVERHEAD:
            kind, _, schema, size = fmt.HEAD.unpack_from(data, position)
            if not fmt.OVERHEAD <= size <= fmt.MAX_RECORD_BYTES or not fmt.KIND_HEADER <= kind <= fmt.KIND_EVENT:
                self.problem = f"no record begins at byte {start + position}"
                break
            if position + size > end:
                break
            if kind == fmt.KIND_ROW:
                length = self._rows(data, position, end, start, items)
                if not length:
                    break
                position += length
                continue
            record = memoryview(data)[position : position + size]
            if zlib.crc32(record, fmt.RESIDUE) != fmt.RESIDUE:
                self.problem = f"the record at byte {start + position} has a wrong checksum"
                break
            try:
                self._other(kind, schema, record[fmt.HEAD.size : -fmt.CRC.size], start + position, size, items)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:  # nothing that we ever wrote
                self.problem = f"the record at byte {start + position} cannot be read: {problem}"
                break
            position += size
        if position > (len(fmt.MAGIC) if start == 0 else 0):  # a header torn off must be fed again with its magic
            self.offset = start + position
        return items

    def _other(
        self, kind: int, schema: int, body: memoryview, offset: int, size: int, items: "list[Rows | EventAt]"
    ) -> None:
        if kind == fmt.KIND_EVENT:
            event = _event(body)
            if event is not None:
                items.append(EventAt(offset, size, event))
        elif kind == fmt.KIND_SCHEMA:
            self._schemas[schema] = _decode_keys(body)
        else:
            self.header = msgspec.convert(_decode(body), Header)

    def _rows(self, data: bytes, position: int, end: int, start: int, items: "list[Rows | EventAt]") -> int:
        """Decode the rows from `position` on, as many as one pattern covers; return their length in bytes."""
        cycle, length = _cycle(data, position, end)
        count = _repetitions(data, position, end, cycle, length)
        block = memoryview(data)[position : position + count * length]
        if zlib.crc32(block, fmt.RESIDUE) != fmt.RESIDUE:
            cycle, length, count = cycle[:1], cycle[0][1], 1  # look closer: one row
            if zlib.crc32(block[:length], fmt.RESIDUE) != fmt.RESIDUE:
                self.problem = f"the row at byte {start + position} has a wrong checksum"
                return 0
        offset = position
        for schema, size in cycle:
            keys = self._schemas.get(schema)
            if keys is None or size != fmt.ROW_OVERHEAD + 8 * len(keys):
                self.problem = f"the row at byte {start + offset} has keys that were never declared"
                return 0
            items.append(_block(data, offset, keys, size=size, stride=length, count=count, start=start))
            offset += size
        return count * length


def _event(body: memoryview) -> AnyEvent | None:
    try:
        event: AnyEvent = decode_event(body)
        return event
    except msgspec.ValidationError:
        found: Any = _decode(body)
        name = found.get("e") if isinstance(found, dict) else None
        if isinstance(name, str) and name not in KNOWN_EVENTS:
            return None  # of a newer Runyard: skipped, as docs/journal-format.md promises
        raise


def _check_magic(data: bytes) -> None:
    if data[:7] != fmt.MAGIC[:7]:
        raise JournalDamaged("these bytes do not begin like a Runyard journal")
    if data[7] != fmt.VERSION:
        raise FormatUnknown(
            f"a journal of format {data[7]}; this Runyard reads format {fmt.VERSION}. "
            "Install the version that wrote it."
        )


def _cycle(data: bytes, position: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """The (schema, size) of the rows from `position` on until the first comes again, and their length in bytes."""
    cycle: list[tuple[int, int]] = []
    offset = position
    while len(cycle) < _LONGEST_CYCLE and offset + fmt.OVERHEAD <= end:
        kind, _, schema, size = fmt.HEAD.unpack_from(data, offset)
        if kind != fmt.KIND_ROW or not fmt.ROW_OVERHEAD <= size <= fmt.MAX_RECORD_BYTES or offset + size > end:
            break
        if cycle and (schema, size) == cycle[0]:
            return cycle, offset - position
        cycle.append((schema, size))
        offset += size
    return cycle[:1], cycle[0][1] if cycle else fmt.HEAD.unpack_from(data, position)[3]


def _repetitions(data: bytes, position: int, end: int, cycle: list[tuple[int, int]], length: int) -> int:
    """How often the cycle comes in a row. It is looked for in growing stretches, so that short blocks stay cheap."""
    import numpy as np  # late, as below: only rows need it, and commands mostly look for events

    possible = (end - position) // length
    known, stretch = 1, 16
    while known < possible:
        count = min(stretch, possible - known)
        offset = position + known * length
        matches = np.ones(count, dtype=bool)
        for schema, size in cycle:
            head = int.from_bytes(fmt.HEAD.pack(fmt.KIND_ROW, 0, schema, size), "little")
            heads: NDArray[np.uint64] = np.ndarray((count,), "<u8", data, offset, (length,))
            matches &= heads == np.uint64(head)
            offset += size
        if not matches.all():
            return known + int(matches.argmin())
        known += count
        stretch *= 4
    return known


def _block(data: bytes, offset: int, keys: tuple[str, ...], *, size: int, stride: int, count: int, start: int) -> Rows:
    import numpy as np

    values = offset + fmt.ROW_HEAD.size
    return Rows(
        offset=start + offset,
        keys=keys,
        steps=np.ndarray((count,), "<i8", data, offset + fmt.HEAD.size, (stride,)).copy(),
        times=np.ndarray((count,), "<i8", data, offset + fmt.HEAD.size + 8, (stride,)).copy(),
        values=np.ndarray((count, len(keys)), "<f8", data, values, (stride, 8)).copy(),
    )


def read_journal(path: Path) -> tuple[list[Rows | EventAt], Decoder]:
    """Decode a whole journal file; the decoder tells how far it could be read and why not further."""
    decoder = Decoder()
    items = decoder.feed(path.read_bytes())
    return items, decoder


def is_damaged(rest: bytes) -> bool:
    """Whether what a decoder left over will never be understood, rather than being the beginning of a record."""
    rest = rest.removeprefix(fmt.MAGIC)
    if len(rest) < fmt.OVERHEAD:
        return False
    kind, _, _, size = fmt.HEAD.unpack_from(rest)
    is_record = fmt.OVERHEAD <= size <= fmt.MAX_RECORD_BYTES and fmt.KIND_HEADER <= kind <= fmt.KIND_EVENT
    return not is_record or size <= len(rest)


def repair(path: Path) -> int:
    """Cut a torn tail off a journal that nobody writes any more; return how many bytes were cut.

    The cut bytes are kept beside it as `<name>.torn` (`.torn-2`, …), since nothing is thrown away unseen.
    """
    data = path.read_bytes()
    decoder = Decoder()
    decoder.feed(data)
    torn = len(data) - decoder.offset
    if torn:
        _free_name(path.with_name(path.name + ".torn")).write_bytes(data[decoder.offset :])
        os.truncate(path, decoder.offset)
    return torn


def _free_name(path: Path) -> Path:
    names = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in itertools.count(1))
    return next(each for each in names if not each.exists())
