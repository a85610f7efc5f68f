"""The wire format of Protocol Buffers: a message is a sequence of numbered fields.

https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | memoryview


class NotAMessage(ValueError):
    """The bytes are no message."""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, int, Value, int]]:
    """The fields of a message, in their order: number, wire type, value, and where the value begins.

    A value of 4 or 8 fixed bytes, like one of counted bytes, is a memoryview of them; groups are refused.

    Raises:
        NotAMessage: it ends in a field, or holds what is none.
    """
    view = memoryview(data)
    at, end = 0, len(view)
    while at < end:
        tag, at = varint(view, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            begin = at
            found, at = varint(view, at)
            yield number, kind, found, begin
            continue
        if kind == BYTES:
            size, at = varint(view, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise NotAMessage(f"wire type {kind}")
        if at + size > end or not number:
            raise NotAMessage("a field is longer than its message")
        yield number, kind, view[at : at + size], at
        at += size


def varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends.

    Raises:
        NotAMessage: it does not end.
    """
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise NotAMessage("a number does not end")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def signed(value: int) -> int:
    """An int64 of its varint."""
    return value - (1 << 64) if value >= 1 << 63 else value


def double(value: Value) -> float:
    """A double of its eight bytes."""
    if not isinstance(value, memoryview) or len(value) != 8:
        raise NotAMessage("no double")
    return float(struct.unpack("<d", value)[0])


def text(value: Value) -> str:
    """A string of its bytes; what is no UTF-8 is replaced."""
    return data(value).decode("utf-8", "replace")


def data(value: Value) -> bytes:
    """Bytes; a number is none."""
    if isinstance(value, int):
        raise NotAMessage("a number where bytes should be")
    return bytes(value)


# ---- writing ----


def put_varint(value: int) -> bytes:
    """A number of 7 bits a byte; a negative one as int64."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_int(number: int, value: int) -> bytes:
    """A field that is a whole number."""
    return put_varint(number << 3 | VARINT) + put_varint(value)


def put_bytes(number: int, value: bytes | str) -> bytes:
    """A field that is text, bytes, or a message of its own."""
    raw = value.encode() if isinstance(value, str) else value
    return put_varint(number << 3 | BYTES) + put_varint(len(raw)) + raw


def put_double(number: int, value: float) -> bytes:
    """A field that is a double."""
    return put_varint(number << 3 | FIXED64) + struct.pack("<d", value)


def put_float(number: int, value: float) -> bytes:
    """A field that is a float."""
    return put_varint(number << 3 | FIXED32) + struct.pack("<f", value)
