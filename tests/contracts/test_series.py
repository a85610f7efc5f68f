"""Series: times that rise by even steps, and channels of as many values."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from runyard.contracts import Array, Contract, Series

SERIES = Series({"value": Array(dtype="number", range=(0, 100))}, every=1, at_least=3)


def said(series: Series, value: Any) -> list[str]:
    return [str(problem) for problem in series.problems(value, place="series")]


@pytest.mark.parametrize("times", [[1, 2, 3], ["1", "2", "3"], np.array([7.0, 8.0, 9.0])])
def test_even_steps_are_fine_however_times_are_written(times: Any) -> None:
    assert said(SERIES, {"time": times, "value": [1, 2, 3]}) == []


def test_a_missing_point_is_told_with_its_neighbours() -> None:
    assert said(SERIES, {"time": [1, 2, 4, 5], "value": [1, 2, 3, 4]}) == [
        "series.time steps otherwise than by 1, which is declared: 2 to 4. Is a point missing?"
    ]


def test_times_that_fall_values_out_of_range_and_short_series_are_told() -> None:
    assert said(SERIES, {"time": [1, 2, 2], "value": [1, 2, 3]}) == [
        "series.time does not rise from 2 to 2; the oldest point comes first."
    ]
    assert "series.value goes from 1 to 300" in said(SERIES, {"time": [1, 2, 3], "value": [1, 2, 300]})[0]
    assert said(SERIES, {"time": [1, 2], "value": [1, 2]}) == ["series has 2 rows; at least 3 are declared."]
    assert "has rows = 2, but series.time has rows = 3" in said(SERIES, {"time": [1, 2, 3], "value": [1, 2]})[0]
    assert "has no column 'value'" in said(SERIES, {"time": [1, 2, 3]})[0]


def test_dates_step_by_a_timedelta_within_the_jitter() -> None:
    monthly = Series({"value": Array()}, every=timedelta(days=30.4), jitter=0.08)
    times = np.array(["2024-01-01", "2024-02-01", "2024-03-01", "2024-05-01"], "datetime64[D]")

    assert said(monthly, {"time": times[:3], "value": [1, 2, 3]}) == []
    assert "2024-03-01 to 2024-05-01" in said(monthly, {"time": times.astype(str).tolist(), "value": [1, 2, 3, 4]})[0]
    assert "neither a number nor a date" in said(monthly, {"time": ["spring"], "value": [1]})[0]


def test_a_window_has_its_length_and_a_service_takes_it_alone() -> None:
    contract = Contract(window=SERIES.window(2)).one

    assert contract.problems({"time": [1, 2], "value": [1, 2]}) == []
    assert [str(each) for each in contract.problems({"time": [1, 2, 3], "value": [1, 2, 3]})] == [
        "window.time has 3 points; 2 are declared."
    ]
