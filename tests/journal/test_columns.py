"""Points as arrays become the same bytes as one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.journal.columns import encode_points
from runyard.journal.writer import Schema

WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(WHOLE, WHOLE, st.floats()), max_size=30), st.integers(0, 65_535), st.sampled_from([1, 7, 50]))
def test_points_are_the_rows_of_a_schema_of_one_key(
    points: list[tuple[int, int, float]], number: int, repeated: int
) -> None:
    points = points * repeated
    schema = Schema(number, ("loss",))

    encoded = encode_points(number, *([point[column] for point in points] for column in range(3)))

    assert encoded == b"".join(schema.encode(step, time_ns, (value,)) for step, time_ns, value in points)


def test_what_is_not_of_one_length_or_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(2,\), \(1,\), \(1,\)"):
        encode_points(0, [1, 2], [1], [1.0])
    with pytest.raises(OverflowError):
        encode_points(0, [2**63], [1], [1.0])
