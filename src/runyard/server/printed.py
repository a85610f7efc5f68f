"""What an attempt printed, in pieces, however long it is.

The output is a part of the host's journal. A reader here goes from record to record and looks at nothing but output,
so that the last lines of a week are found without decoding the week.
"""

import mmap
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runyard.client.runs import output_text
from runyard.errors import UsageError
from runyard.journal import format as fmt
from runyard.journal.events import Ended, Output, OutputDropped, decode_event

_BODY = fmt.HEAD.size
_OUTPUT = b"output"  # stands at the front of the records that count, in their tag


@dataclass
class Printed:
    """A piece of output. `next_offset` is where the next one begins; `is_over` if the supervisor wrote the end."""

    text: str = ""
    next_offset: int = 0
    dropped_bytes: int = 0
    is_over: bool = False
    is_last: bool = True


def read(path: Path, *, offset: int, limit: int) -> Printed:
    """Output from a byte of the journal on, until about `limit` bytes are found.

    A negative offset means the last so many bytes of output.

    Raises:
        UsageError: no record begins at the offset.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = max(offset, len(fmt.MAGIC)) if offset >= 0 else _from_end(data, -offset)
            return _read(data, start, limit)
    except (FileNotFoundError, ValueError):  # there is nothing yet: an empty file cannot be mapped
        return Printed(next_offset=max(offset, 0))


def _read(data: mmap.mmap, start: int, limit: int) -> Printed:
    found = Printed(next_offset=start)
    texts: list[str] = []
    size_bytes = 0
    position = start
    while position + fmt.OVERHEAD <= len(data):
        kind, size = _record(data, position, start)
        if position + size > len(data):
            break  # not wholly written yet
        if kind == fmt.KIND_EVENT:
            event = _event(data, position, size)
            if size_bytes and isinstance(event, Output | OutputDropped) and size_bytes + size > limit:
                found.is_last = False
                break
            if isinstance(event, Output | OutputDropped):
                texts.append(output_text(event))
                size_bytes += size
                found.dropped_bytes += event.size_bytes if isinstance(event, OutputDropped) else 0
            found.is_over |= isinstance(event, Ended)
        position += size
    found.text, found.next_offset = "".join(texts), position
    return found


def _from_end(data: mmap.mmap, wanted: int) -> int:
    """Where the last `wanted` bytes of output begin, in whole records."""
    places: list[tuple[int, int]] = []
    position = len(fmt.MAGIC)
    while position + fmt.OVERHEAD <= len(data):
        kind, size = _record(data, position, position)
        if position + size > len(data):
            break
        if kind == fmt.KIND_EVENT and _OUTPUT in data[position + _BODY : position + _BODY + 24]:
            places.append((position, size))
        position += size
    for place, size in reversed(places):
        wanted -= size
        if wanted <= 0:
            return place
    return len(fmt.MAGIC)


def _record(data: mmap.mmap, position: int, start: int) -> tuple[int, int]:
    kind, _, _, size = fmt.HEAD.unpack_from(data, position)
    if not fmt.OVERHEAD <= size <= fmt.MAX_RECORD_BYTES or not fmt.KIND_HEADER <= kind <= fmt.KIND_EVENT:
        raise UsageError(f"No record of output begins at byte {position if position != start else start}.")
    return kind, size


def _event(data: mmap.mmap, position: int, size: int) -> object:
    """The event; None for one that is damaged or of a newer Runyard."""
    record = data[position : position + size]
    if zlib.crc32(record, fmt.RESIDUE) != fmt.RESIDUE:
        return None
    try:
        return decode_event(record[_BODY : -fmt.CRC.size])
    except msgspec.MsgspecError:
        return None
