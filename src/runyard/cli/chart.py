"""`runyard chart`: a metric over the steps, drawn in the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from runyard.cli import documents, formats, screen, tables, target
from runyard.cli.braille import Canvas, column_ranges
from runyard.client import Client
from runyard.errors import NotFound, UsageError
from runyard.index import RunRow
from runyard.index.series import Series

FloatArray = NDArray[np.float64]

COLOURS = ("cyan", "yellow", "magenta", "green", "red", "blue")
_MOST_RUNS = 12  # more lines than that tell nothing


@dataclass(frozen=True)
class Curve:
    """One run's points: `xs` ascending, `ys` finite, both of shape (n,)."""

    row: RunRow
    xs: FloatArray
    ys: FloatArray
    skipped: int  # points that are no numbers, or not above zero on a logarithmic axis


def chart(*, arguments: list[str], log: bool, smooth: float, time: bool, height: int | None, as_json: bool) -> None:
    """Draw a metric of one or more runs in the terminal."""
    with target.opened() as client:
        key, rows = _key_and_runs(client, arguments)
        if key is None:
            _list_keys(client, rows[0], as_json=as_json)
            return
        found = client.index.series_many([row.id for row in rows], key)
        if not found:
            raise _no_such_metric(client, key, rows)
        if as_json:
            documents.write(
                {"series": [documents.series(row.id, key, found[row.id]) for row in rows if row.id in found]}
            )
            return
        curves = [curve_of(row, found.get(row.id), over_time=time, is_log=log, smooth=smooth) for row in rows]
        if not any(len(curve.xs) for curve in curves):
            raise UsageError(
                f"No value of '{key}' can be drawn: none is a finite number{' above zero' if log else ''}."
            )
    for line in draw(
        curves, key, width=screen.width(), height=height or 16, is_log=log, unit="min" if time else "step"
    ):
        screen.say(line)


def curve_of(row: RunRow, series: Series | None, *, over_time: bool, is_log: bool, smooth: float) -> Curve:
    """Points in the order of the axis, without those that cannot be drawn."""
    if series is None:
        return Curve(row, np.empty(0), np.empty(0), 0)
    ys = np.asarray(series.values, dtype=np.float64)
    times = np.asarray(series.times, dtype=np.int64)
    xs = (times - times.min()) / 60e9 if over_time and len(times) else np.asarray(series.steps, dtype=np.float64)
    good = np.isfinite(ys) & ((ys > 0) | (not is_log))
    order = np.argsort(xs[good], kind="stable")
    xs, ys = xs[good][order], ys[good][order]
    return Curve(row, xs, smoothed(ys, smooth), int((~good).sum()))


def smoothed(values: FloatArray, weight: float) -> FloatArray:
    """The exponential moving average, free of the bias towards zero at its start (Kingma and Ba 2015, section 3)."""
    if weight <= 0:
        return values
    result = np.empty_like(values)
    average = 0.0
    for i, value in enumerate(values):
        average = weight * average + (1 - weight) * value
        result[i] = average / (1 - weight ** (i + 1))
    return result


def draw(
    curves: Sequence[Curve], key: str, *, width: int, height: int, is_log: bool = False, unit: str = "step"
) -> list[str]:
    """Lines of text: the title, the chart with its axes, and a legend with min, max and last."""
    filled = [curve for curve in curves if len(curve.xs)]
    low_x, high_x = min(c.xs[0] for c in filled), max(c.xs[-1] for c in filled)
    low_y, high_y = min(float(c.ys.min()) for c in filled), max(float(c.ys.max()) for c in filled)
    if low_y == high_y:
        low_y, high_y = (low_y / 2, high_y * 2) if is_log else (low_y - 0.5, high_y + 0.5)
    labels = {
        0: formats.number(high_y),
        height // 2: _middle(low_y, high_y, height, is_log),
        height - 1: formats.number(low_y),
    }
    margin = max(len(label) for label in labels.values())
    canvas = Canvas(max(10, width - margin - 3), height)
    for number, curve in enumerate(curves):
        _plot(canvas, curve, number, x_range=(low_x, high_x), y_range=(low_y, high_y), is_log=is_log)
    lines = [screen.paint(screen.plain(key), "bold") + (screen.paint("  logarithmic", "dim") if is_log else "")]
    for row, characters in enumerate(canvas.characters()):
        axis = "┤" if row in labels else "│"
        drawn = "".join(
            _painted(owner, "".join(t for t, _ in part)) for owner, part in groupby(characters, itemgetter(1))
        )
        lines.append(f"{labels.get(row, ''):>{margin}} {axis}{drawn}".rstrip())
    lines.append(" " * margin + " └" + "─" * canvas.columns)
    left, right = formats.number(float(low_x)), formats.number(float(high_x))
    lines.append(" " * (margin + 2) + left + unit.center(max(canvas.columns - len(left) - len(right), 0)) + right)
    return lines + _legend(curves, width)


def _painted(owner: int, text: str) -> str:
    return screen.paint(text, COLOURS[owner % len(COLOURS)]) if owner >= 0 else text


def _plot(
    canvas: Canvas,
    curve: Curve,
    owner: int,
    *,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    is_log: bool,
) -> None:
    low, high = (float(np.log(y)) for y in y_range) if is_log else y_range
    ys = np.log(curve.ys) if is_log else curve.ys

    def row(y: float) -> int:
        return round((y - low) / (high - low) * (canvas.height - 1))

    before: tuple[int, int] | None = None
    for column, first, lowest, highest, last in column_ranges(
        curve.xs, ys, low=x_range[0], high=x_range[1], width=canvas.width
    ):
        if before is not None:
            canvas.line(before, (column, row(first)), owner)
        canvas.line((column, row(lowest)), (column, row(highest)), owner)
        before = (column, row(last))


def _middle(low: float, high: float, height: int, is_log: bool) -> str:
    share = 1 - (height // 2) / (height - 1)
    if is_log:
        return formats.number(float(np.exp(np.log(low) + share * (np.log(high) - np.log(low)))))
    return formats.number(low + share * (high - low))


def _legend(curves: Sequence[Curve], width: int) -> list[str]:
    columns = [
        tables.Column("", is_vital=True),
        tables.Column("run", is_vital=True),
        tables.Column("name"),
        *(tables.Column(title, is_right=True, is_vital=title == "last") for title in ("min", "max", "last", "skipped")),
    ]
    rows = []
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        facts = [_at(curve, int(curve.ys.argmin())), _at(curve, int(curve.ys.argmax())), _at(curve, -1)]
        if not len(curve.xs):
            facts = ["", "", "no points"]
        cells = ["━━", curve.row.id, curve.row.name, *facts, str(curve.skipped) if curve.skipped else ""]
        rows.append([tables.Cell(text, colour if i < 2 else "") for i, text in enumerate(cells)])
    if not any(curve.skipped for curve in curves):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return tables.lay_out(columns, rows, width=width).lines


def _at(curve: Curve, position: int) -> str:
    return f"{formats.number(float(curve.ys[position]))} @ {formats.number(float(curve.xs[position]))}"


def _key_and_runs(client: Client, arguments: Sequence[str]) -> tuple[str | None, list[RunRow]]:
    if len(arguments) == 1:
        return None, [target.find_run(client, arguments[0])]
    *names, key = arguments
    if len(names) > _MOST_RUNS:
        raise UsageError(f"{len(names)} runs in one chart; at most {_MOST_RUNS} can be told apart.")
    return key, [target.find_run(client, name) for name in names]


def _list_keys(client: Client, row: RunRow, *, as_json: bool) -> None:
    keys = sorted(client.index.keys(row.id))
    if as_json:
        documents.write({"id": row.id, "metrics": keys})
        return
    for key in keys:
        screen.say(screen.plain(key))
    if not keys:
        screen.remark(f"{row.id} has logged no metric.")


def _no_such_metric(client: Client, key: str, rows: Sequence[RunRow]) -> NotFound:
    keys = sorted({known for row in rows for known in client.index.keys(row.id)})
    return NotFound(
        f"No run of these has the metric '{key}'. {target.guess(key, keys)}There are: {', '.join(keys) or 'none'}."
    )
