"""Comparing metrics of two runs, step by step."""

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runyard.client.reproducing import MetricComparison, Tolerance, compare_metrics
from runyard.client.runs import TrackedRun
from tests.cli.builders import Yard


@pytest.fixture
def compare(tmp_path: Path) -> Iterator[Any]:
    yard = Yard(tmp_path / "yard")

    def compare(then: dict[str, list[float]], now: dict[str, list[float]], **tolerance: Any) -> list[MetricComparison]:
        runs = [TrackedRun(yard.client, yard.run(metrics=metrics)) for metrics in (then, now)]
        return compare_metrics(runs[0], runs[1], Tolerance(**tolerance))

    with closing(yard.client):
        yield compare


def test_equal_series_agree_bit_for_bit(compare: Any) -> None:
    values = {"loss": [1.0, math.nan, math.inf], "acc": [0.5]}

    found = compare(values, values)

    assert [(each.key, each.agrees, each.is_exact, each.parts_at) for each in found] == [
        ("acc", True, True, None),
        ("loss", True, True, None),
    ]


def test_small_differences_are_within_the_tolerance_and_not_exact(compare: Any) -> None:
    (found,) = compare({"loss": [1.0, 2.0]}, {"loss": [1.0005, 2.0]})

    assert (found.agrees, found.is_exact, found.largest_step) == (True, False, 0)
    (strict,) = compare({"loss": [1.0, 2.0]}, {"loss": [1.0005, 2.0]}, relative=1e-6)
    assert not strict.agrees


def test_first_step_where_runs_part_is_told_and_the_largest_difference(compare: Any) -> None:
    (found,) = compare({"loss": [1.0, 1.0, 1.0, 1.0]}, {"loss": [1.0, 1.1, 3.0, 1.2]})

    assert (found.parts_at, found.largest_step, found.largest) == (1, 2, 2.0)
    assert (found.then, found.now) == (1.0, 1.2)
    assert found.relative == pytest.approx(0.2)


def test_missing_and_added_points_part_the_runs(compare: Any) -> None:
    (shorter,) = compare({"loss": [1.0, 1.0, 1.0]}, {"loss": [1.0, 1.0]})
    (longer,) = compare({"loss": [1.0]}, {"loss": [1.0, 1.0]})

    assert (shorter.agrees, shorter.missing, shorter.parts_at) == (False, 1, 2)
    assert (longer.agrees, longer.added, longer.parts_at) == (False, 1, 1)


def test_a_metric_of_one_run_alone_does_not_agree(compare: Any) -> None:
    gone, new = compare({"a": [1.0]}, {"b": [1.0]})

    assert (gone.agrees, gone.then, gone.now) == (False, 1.0, None)
    assert (new.agrees, new.then, new.now) == (False, None, 1.0)


def test_only_one_finite_value_is_an_infinite_difference(compare: Any) -> None:
    (found,) = compare({"loss": [1.0]}, {"loss": [math.nan]})

    assert (found.agrees, found.largest) == (False, math.inf)


def test_single_metrics_have_tolerances_of_their_own(compare: Any) -> None:
    found = compare(
        {"val/loss": [1.0], "train/loss": [1.0], "sys/cpu": [1.0]},
        {"val/loss": [1.1], "train/loss": [1.1], "sys/cpu": [9.0]},
        by_key={"val/*": 0.2},
    )

    assert [(each.key, each.agrees) for each in found] == [("train/loss", False), ("val/loss", True)]
