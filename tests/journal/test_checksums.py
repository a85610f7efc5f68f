"""Checksums as tables give them, beside zlib's."""

import random
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.journal.checksums import CRC32, CRC32C, crc, shares


def test_the_check_value_of_castagnoli_comes_out() -> None:
    assert crc(b"123456789", CRC32C) == 0xE3069283


@pytest.mark.parametrize("size", [0, 1, 255, 16_383, 16_384, 16_385, 70_001])
def test_bytes_of_any_length_have_the_checksum_of_zlib(size: int) -> None:
    data = random.Random(size).randbytes(size)

    assert crc(data, CRC32) == zlib.crc32(data)


@given(st.lists(st.binary(min_size=3, max_size=3), max_size=5), st.binary(max_size=4), st.binary(max_size=4))
def test_what_a_field_adds_is_the_same_in_every_record(fields: list[bytes], before: bytes, after: bytes) -> None:
    columns = np.frombuffer(b"".join(fields), np.uint8).reshape(-1, 3)

    added = shares(columns, CRC32, behind=len(after))

    empty = zlib.crc32(before + bytes(3) + after)
    assert [empty ^ each for each in added.tolist()] == [zlib.crc32(before + field + after) for field in fields]
