from datetime import UTC, datetime, timedelta

import pytest

from runyard.cli import formats

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (12345678.0, "12345678"), (0.123456, "0.1235"), (1e-7, "1e-07"), (float("nan"), "nan")],
)
def test_numbers_have_four_significant_digits(value: float | None, text: str) -> None:
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.91234, 0.0041, "0.9123 ± 0.0041"),
        (0.91234, None, "0.9123"),
        (0.5, 0.0, "0.5 ± 0"),
        (123.4, 25.0, "123 ± 25"),
        (1e-9, 2e-10, "1e-09 ± 2e-10"),
    ],
)
def test_a_mean_has_as_many_places_as_its_deviation_deserves(mean: float, std: float | None, text: str) -> None:
    assert formats.spread(mean, std) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.42, "0.4 s"), (45.2, "45 s"), (200, "3 min 20 s"), (19_200, "5 h 20 min"), (273_600, "3 d 4 h")],
)
def test_durations_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(hours=2, minutes=50), "2 h ago"),
        (timedelta(days=59), "59 d ago"),
        (timedelta(days=61), "2024-03-01"),
    ],
)
def test_ages_have_one_unit_and_old_ones_are_dates(ago: timedelta, text: str) -> None:
    assert formats.age(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (5e15, "5000 TB")],
)
def test_sizes_are_in_powers_of_a_thousand(size_bytes: float, text: str) -> None:
    assert formats.size(size_bytes) == text


def test_settings_are_written_as_people_write_them() -> None:
    assert [formats.setting(v) for v in ("adam", 0.001, 2.0, True, None, [64, 64])] == [
        "adam",
        "0.001",
        "2",
        "true",
        "null",
        "[64, 64]",
    ]
