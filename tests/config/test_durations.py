"""Times and sizes as people write them."""

import pytest

from runyard.config.durations import parse_duration_s, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("30m", 1800), ("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), ("0.5d", 43_200), ("45", 45)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "2x", "-1h", "0", "nan"])
def test_other_words_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration_s(text)


@pytest.mark.parametrize(("text", "size"), [("20GB", 20 * 10**9), ("16GiB", 2**34), ("512 MB", 512 * 10**6)])
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


def test_other_words_are_no_sizes() -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size_bytes("big")
