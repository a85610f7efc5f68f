import json
import math

import numpy as np
import pytest

from runyard.cli.braille import Canvas, column_ranges
from runyard.cli.chart import curve_of, draw, smoothed
from runyard.cli.main import run
from runyard.index.series import Series
from tests.cli.builders import Yard, runyard


def a_series(values: list[float], steps: list[int] | None = None) -> Series:
    count = len(values)
    numbers = np.arange(count, dtype=np.int64)
    return Series(
        steps=np.array(steps, dtype=np.int64) if steps else numbers,
        values=np.array(values),
        times=numbers * 60_000_000_000,
        attempts=numbers,
    )


def test_a_straight_line_is_drawn_from_corner_to_corner(yard: Yard) -> None:
    curve = curve_of(yard.run(), a_series([0.0, 1.0, 2.0, 3.0]), over_time=False, is_log=False, smooth=0)

    lines = draw([curve], "loss", width=20, height=4)

    assert lines[:7] == [
        "loss",
        "3 ┤            ⣀⡠⠒⠊",
        "  │        ⣀⠤⠒⠊",
        "1 ┤   ⢀⣀⠤⠒⠉",
        "0 ┤⣀⠔⠒⠁",
        "  └────────────────",
        "   0     step     3",
    ]


def test_no_line_is_wider_than_the_terminal(yard: Yard) -> None:
    curve = curve_of(
        yard.run(name="a long name " * 9), a_series([1e-9, 5.0, -3e20]), over_time=False, is_log=False, smooth=0
    )

    for width in (40, 63, 120):
        assert max(len(line) for line in draw([curve], "loss", width=width, height=5)) <= width


def test_points_that_are_no_numbers_are_left_out_and_counted(yard: Yard) -> None:
    row = yard.run()
    values = [1.0, math.nan, math.inf, 0.0, 2.0]

    linear = curve_of(row, a_series(values), over_time=False, is_log=False, smooth=0)
    logarithmic = curve_of(row, a_series(values), over_time=False, is_log=True, smooth=0)

    assert (linear.ys.tolist(), linear.skipped) == ([1.0, 0.0, 2.0], 2)
    assert (logarithmic.ys.tolist(), logarithmic.skipped) == ([1.0, 2.0], 3)


def test_steps_in_any_order_are_drawn_in_order(yard: Yard) -> None:
    curve = curve_of(
        yard.run(), a_series([3.0, 1.0, 2.0], steps=[30, -10, 20]), over_time=False, is_log=False, smooth=0
    )

    assert curve.xs.tolist() == [-10, 20, 30]
    assert curve.ys.tolist() == [1.0, 2.0, 3.0]


def test_time_is_in_minutes_since_the_first_point(yard: Yard) -> None:
    curve = curve_of(yard.run(), a_series([1.0, 2.0, 3.0]), over_time=True, is_log=False, smooth=0)

    assert curve.xs.tolist() == [0.0, 1.0, 2.0]


def test_smoothing_keeps_a_constant_and_starts_without_bias() -> None:
    assert smoothed(np.full(50, 3.0), 0.9) == pytest.approx(3.0)
    assert smoothed(np.array([1.0, 0.0]), 0.5).tolist() == pytest.approx([1.0, 1 / 3])


def test_extremes_survive_however_many_points_share_a_column() -> None:
    values = np.zeros(100_000)
    values[54_321] = 9.0

    ranges = column_ranges(np.arange(100_000.0), values, low=0, high=99_999, width=100)

    assert len(ranges) == 100
    assert max(highest for _, _, _, highest, _ in ranges) == 9.0


def test_dots_outside_of_the_canvas_are_not_drawn() -> None:
    canvas = Canvas(2, 1)
    canvas.line((-5, 0), (9, 0), owner=0)

    assert canvas.characters() == [[("⣀", 0), ("⣀", 0)]]


def test_several_runs_have_colours_and_a_legend(yard: Yard) -> None:
    rows = [yard.run(name=f"run {n}", metrics={"loss": [3.0 - n, 1.0, 2.0]}) for n in range(2)]

    done = runyard(yard.path, "chart", rows[0].id, rows[1].id, "loss", FORCE_COLOR="1", COLUMNS="80")

    assert done.returncode == 0
    assert "\x1b[36m" in done.stdout
    assert "\x1b[33m" in done.stdout
    assert "1 @ 1" in done.stdout
    assert "3 @ 0" in done.stdout


def test_without_a_key_the_metrics_are_listed(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(metrics={"loss": [1], "val/accuracy": [1]})

    assert run(["chart", "last"]) == 0

    assert capsys.readouterr().out == "loss\nval/accuracy\n"


def test_a_metric_that_is_none_is_refused_with_a_guess(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(metrics={"train/loss": [1], "val/accuracy": [math.nan]})

    assert run(["chart", "last", "train/los"]) == 2
    assert run(["chart", "last", "val/accuracy"]) == 2

    error = capsys.readouterr().err
    assert "Did you mean 'train/loss'?" in error
    assert "No value of 'val/accuracy' can be drawn" in error


def test_json_has_all_points(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    row = yard.run(metrics={"loss": [1.0, math.nan]})

    assert run(["chart", "last", "loss", "--json"]) == 0

    (found,) = json.loads(capsys.readouterr().out)["series"]
    assert (found["id"], found["steps"], found["values"]) == (row.id, [0, 1], [1.0, "NaN"])
