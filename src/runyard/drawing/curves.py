"""A chart of series over steps, small enough for a notebook: a few hundred points a line, whatever was logged."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runyard.drawing.colours import on_any_ground
from runyard.drawing.plot import Plot
from runyard.drawing.tables import cleaned, escaped, number, paragraph

MOST_CURVES = 7  # as many as there are colours that can be told apart
_MOST_OF_TITLE = 60  # characters

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A name and points in the order of their steps; values that are not finite leave a gap."""

    name: str
    points: Sequence[Point]


def chart(title: str, curves: Sequence[Curve], *, left: int = 0, width: int = 460, height: int = 220) -> str:
    """The curves in one picture, with their names and last values below it.

    Args:
        title: what the values are.
        curves: the first seven are drawn.
        left: how many more there are that were not even handed over.
        width, height: in pixels.
    """
    drawn = curves[:MOST_CURVES]
    title = cleaned(title, _MOST_OF_TITLE)
    left += len(curves) - len(drawn)
    finite = [point for curve in drawn for point in curve.points if math.isfinite(point[1])]
    if not finite:
        return paragraph(f"{title}: no finite value yet")
    plot = Plot(
        x=_ends(x for x, _ in finite),
        y=_ends(y for _, y in finite),
        width=width,
        height=height,
        y_label=title,
        title=title,
        palette=on_any_ground,
    )
    names = []
    for place, curve in enumerate(drawn, start=1):
        ink = f"c{place}"
        for stretch in _stretches(curve.points):
            if len(stretch) == 1:
                plot.dot(*stretch[0], ink=ink, radius=2.5)
            else:
                plot.line(*zip(*stretch, strict=True), ink=ink, width=1.5)
        last = f" {number(curve.points[-1][1])}" if curve.points else ""
        sign = f'<span style="color:{on_any_ground(ink)}">■</span>'
        names.append(f"{sign} {escaped(curve.name)}{last}")
    names += [f"… and {left:,} more"] if left else []
    style = f"display:inline-block;vertical-align:top;width:{width}px;max-width:100%;margin:0 8px 8px 0"
    legend = f"<div>{' &nbsp; '.join(names)}</div>"
    return f'<div class="tex2jax_ignore mathjax_ignore" style="{style}">{plot.svg()}{legend}</div>'


def _ends(values: Iterable[float]) -> Point:
    """The least and the greatest, neither too far apart nor too close for an axis to be divided."""
    found = [min(max(value, -1e300), 1e300) for value in values]
    low, high = min(found), max(found)
    return (low, high) if high - low > max(1e-12 * max(abs(low), abs(high)), 1e-300) else (low, low)


def _stretches(points: Sequence[Point]) -> Iterator[list[Point]]:
    """The points between two gaps."""
    stretch: list[Point] = []
    for point in points:
        if math.isfinite(point[1]):
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch
