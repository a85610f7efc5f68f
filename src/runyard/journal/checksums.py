"""Checksums of many records of one form at once.

A CRC is linear: what a byte adds to it depends on its value and on how many bytes follow, and what all bytes add is
XORed. So records that differ in a few bytes need only the shares of those, which are looked up in tables, two bytes at
a time, for all records together. (Sarwate 1988 for the table; the shift by one byte is the same table again.)
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CRC32 = 0xEDB88320  # of zlib; polynomials are written with their bits reversed
CRC32C = 0x82F63B78  # Castagnoli, RFC 3720

_LANES_FROM = 1 << 14  # bytes; shorter data are done one byte after the other
_LANE_BYTES = 256

Checksums = NDArray[np.uint32]


def crc(data: bytes | memoryview, polynomial: int) -> int:
    """The checksum of some bytes, begun with ones and inverted at its end as usual: some 20 MB/s, 200 if they are many.

    `zlib.crc32` is faster for its polynomial.
    """
    table, state = _list(polynomial), 0xFFFFFFFF
    rest = memoryview(data)
    if len(rest) >= _LANES_FROM:
        whole = len(rest) // _LANE_BYTES * _LANE_BYTES
        state, rest = _in_lanes(rest[:whole], polynomial), rest[whole:]
    for byte in rest.tobytes():
        state = state >> 8 ^ table[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF


def shares(fields: NDArray[np.uint8], polynomial: int, *, behind: int) -> Checksums:
    """What a field of each record adds to its checksum.

    Args:
        fields: the bytes of the field, shape (n, bytes).
        behind: how many bytes of the record follow the field.

    Returns:
        To be XORed with the checksum that the record has if the field holds zeros; shape (n,).
    """
    if fields.shape[1] % 2:
        fields = np.pad(fields, ((0, 0), (1, 0)))  # a zero in front adds nothing
    found = np.zeros(len(fields), np.uint32)
    words = np.ascontiguousarray(fields).view("<u2").T
    for at, word in enumerate(words):
        if (word == word[:1]).all():  # as the high bytes of numbers mostly are
            if len(word) and word[0]:
                found ^= _words(polynomial, 2 * (len(words) - 1 - at) + behind)[word[0]]
        else:  # take, since table[word] takes three times as long
            found ^= _words(polynomial, 2 * (len(words) - 1 - at) + behind).take(word)
    return found


@lru_cache(maxsize=1024)
def _bytes(polynomial: int, behind: int) -> Checksums:
    """What each byte adds, if so many follow; shape (256,)."""
    state: Checksums = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        state = state >> np.uint32(1) ^ (state & np.uint32(1)) * np.uint32(polynomial)
    first = state
    for _ in range(behind):
        state = state >> np.uint32(8) ^ first[state & np.uint32(0xFF)]
    return state


@lru_cache(maxsize=64)  # 256 KiB each
def _words(polynomial: int, behind: int) -> Checksums:
    """What each two bytes add, the first one in the low bits, if so many follow; shape (65536,)."""
    second, first = _bytes(polynomial, behind), _bytes(polynomial, behind + 1)
    return (second[:, None] ^ first[None, :]).ravel()


@lru_cache
def _list(polynomial: int) -> list[int]:
    found: list[int] = _bytes(polynomial, 0).tolist()
    return found


def _in_lanes(data: memoryview, polynomial: int) -> int:
    """The state behind a whole number of lanes: all lanes are gone through side by side, then joined."""
    columns = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(-1, _LANE_BYTES).T)
    lanes = np.zeros(columns.shape[1], np.uint32)
    for at, column in enumerate(columns):
        lanes ^= _bytes(polynomial, _LANE_BYTES - 1 - at).take(column)
    over = [_bytes_over(polynomial, place) for place in range(4)]
    state = 0xFFFFFFFF
    for lane in lanes.tolist():
        moved = over[0][state & 0xFF] ^ over[1][state >> 8 & 0xFF] ^ over[2][state >> 16 & 0xFF] ^ over[3][state >> 24]
        state = moved ^ lane
    return state


@lru_cache
def _bytes_over(polynomial: int, place: int) -> list[int]:
    """What byte `place` of a state becomes while the bytes of a lane go by."""
    found: list[int] = _bytes(polynomial, _LANE_BYTES - 1 - place).tolist()
    return found
