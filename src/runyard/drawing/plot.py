"""A plot: two axes, and lines, dots and marks between them."""

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from runyard.drawing.colours import Palette, colour

_FONT = "font-family=\"ui-sans-serif,system-ui,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',Arial,sans-serif\""
_TEXT_PX = 11


class Plot:
    """Collects marks, and writes them as one `<svg>`.

    Args:
        x, y: the ranges of the axes, low and high.
        width, height: in pixels at full size; the picture scales.
        x_label, y_label: below and above the axes.
        number: how numbers are written at the axes; `x_number` how those at the lower one are, if otherwise.
        title: for screen readers.
        palette: what colours mean; those of the light theme if left out.
    """

    def __init__(
        self,
        *,
        x: tuple[float, float],
        y: tuple[float, float],
        width: int = 460,
        height: int = 300,
        x_label: str = "",
        y_label: str = "",
        number: Callable[[float], str] = "{:g}".format,
        x_number: Callable[[float], str] | None = None,
        title: str = "",
        left: int = 48,
        palette: Palette = colour,
    ) -> None:
        self._colour = palette
        self._x, self._y = _spread(x), _spread(y)
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = left, 14, 26 if y_label else 10, 38 if x_label else 22
        self._labels = (x_label, y_label)
        self._number = number
        self._x_number = x_number or number
        self._title = title
        self._marks: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in pixels; what lies beyond the axes stands at their ends."""
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        up = (y - self._y[0]) / (self._y[1] - self._y[0])
        return (
            self.left + min(max(across, 0.0), 1.0) * (self.width - self.left - self.right),
            self.height - self.bottom - min(max(up, 0.0), 1.0) * (self.height - self.top - self.bottom),
        )

    def line(
        self,
        xs: Iterable[float],
        ys: Iterable[float],
        *,
        ink: str = "c1",
        name: str = "",
        width: float = 2,
        dash: str = "",
    ) -> "Plot":
        """A line through points; `name` is its class, for a script that moves it."""
        points = [self.at(x, y) for x, y in zip(xs, ys, strict=True)]
        path = "".join(f"{'L' if place else 'M'}{x:.1f} {y:.1f}" for place, (x, y) in enumerate(points))
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._marks.append(
            f'<path{_class(name)} d="{path}" fill="none" stroke="{self._colour(ink)}" stroke-width="{width:g}"'
            f' stroke-linejoin="round" stroke-linecap="round"{dashed}/>'
        )
        return self

    def vertical(self, x: float, *, ink: str = "ink-2", name: str = "", label: str = "") -> "Plot":
        """A line from bottom to top, with a word beside it."""
        across, bottom = self.at(x, self._y[0])
        is_right = across > self.width * 0.7
        self._marks.append(
            f'<g{_class(name)} transform="translate({across:.1f} 0)"><line y1="{self.top}" y2="{bottom:.1f}"'
            f' stroke="{self._colour(ink)}" stroke-width="1.5" stroke-dasharray="4 3"/>'
            + (
                f'<text x="{-6 if is_right else 6}" y="{self.top + 10}" text-anchor="{"end" if is_right else "start"}"'
                f' fill="{self._colour(ink)}">{escape(label)}</text>'
                if label
                else ""
            )
            + "</g>"
        )
        return self

    def dot(self, x: float, y: float, *, ink: str = "accent", name: str = "", radius: float = 5) -> "Plot":
        """A point."""
        across, up = self.at(x, y)
        self._marks.append(
            f'<circle{_class(name)} transform="translate({across:.1f} {up:.1f})" r="{radius:g}"'
            f' fill="{self._colour(ink)}" stroke="{self._colour("panel")}" stroke-width="1.5"/>'
        )
        return self

    def dots(self, xs: Iterable[float], ys: Iterable[float], *, ink: str = "c1") -> "Plot":
        """Many small points."""
        path = "".join("M{:.1f} {:.1f}h0".format(*self.at(x, y)) for x, y in zip(xs, ys, strict=True))
        self._marks.append(
            f'<path d="{path}" stroke="{self._colour(ink)}" stroke-width="4" stroke-linecap="round" opacity="0.45"/>'
        )
        return self

    def svg(self) -> str:
        """The picture: it needs no style from outside and holds no reference to anything."""
        x_label, y_label = self._labels
        bottom = self.height - self.bottom
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img"'
            f' aria-label="{escape(self._title)}" {_FONT} font-size="{_TEXT_PX}" fill="{self._colour("ink-2")}"'
            f' data-box="{self.left} {self.width - self.right} {self.top} {bottom}">'
        ]
        for value in ticks(*self._y, most=5):
            _, up = self.at(self._x[0], value)
            parts.append(
                f'<line x1="{self.left}" x2="{self.width - self.right}" y1="{up:.1f}" y2="{up:.1f}"'
                f' stroke="{self._colour("line")}"/><text class="y-tick" x="{self.left - 7}" y="{up + 4:.1f}"'
                f' text-anchor="end">{escape(self._number(value))}</text>'
            )
        for value in ticks(*self._x, most=6):
            across, _ = self.at(value, self._y[0])
            parts.append(
                f'<text x="{across:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(self._x_number(value))}</text>'
            )
        parts.append(
            f'<line x1="{self.left}" x2="{self.width - self.right}" y1="{bottom}" y2="{bottom}"'
            f' stroke="{self._colour("line-2")}"/>'
        )
        if x_label:
            middle = (self.left + self.width - self.right) / 2
            parts.append(f'<text x="{middle:g}" y="{self.height - 5}" text-anchor="middle">{escape(x_label)}</text>')
        if y_label:
            parts.append(f'<text x="{self.left - 7}" y="12" text-anchor="start">{escape(y_label)}</text>')
        return "".join([*parts, *self._marks, "</svg>"])


def nice_ceiling(value: float) -> float:
    """The next number from `value` up that quarters well: 1, 2, 4 or 8 times a power of ten; 1 for nothing."""
    if not value > 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 4, 8, 10) if factor * power >= value * (1 - 1e-9))


def ticks(low: float, high: float, *, most: int) -> Sequence[float]:
    """Round numbers between `low` and `high`: at most about so many, at least two."""
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _class(name: str) -> str:
    return f' class="{escape(name)}"' if name else ""


def _spread(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    if high > low:
        return low, high
    margin = abs(low) * 0.1 or 0.5
    return low - margin, high + margin
