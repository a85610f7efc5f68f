"""A canvas of braille characters: two by four dots in every character of the terminal."""

import numpy as np
from numpy.typing import NDArray

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)  # row, column -> bit
_EMPTY = 0x2800


class Canvas:
    """Dots on a grid; the origin is at the lower left. Later drawings win the colour of a character they touch."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self._bits = np.zeros((rows, columns), dtype=np.uint8)
        self._owner = np.full((rows, columns), -1, dtype=np.int64)

    @property
    def width(self) -> int:
        """Dots from left to right."""
        return self.columns * 2

    @property
    def height(self) -> int:
        """Dots from bottom to top."""
        return self.rows * 4

    def dot(self, x: int, y: int, owner: int) -> None:
        """Set one dot; what lies outside is not drawn."""
        if 0 <= x < self.width and 0 <= y < self.height:
            down = self.height - 1 - y
            self._bits[down // 4, x // 2] |= _DOTS[down % 4, x % 2]
            self._owner[down // 4, x // 2] = owner

    def line(self, start: tuple[int, int], end: tuple[int, int], owner: int) -> None:
        """Set the dots between two dots, both included."""
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        xs = np.rint(np.linspace(start[0], end[0], length + 1)).astype(int)
        ys = np.rint(np.linspace(start[1], end[1], length + 1)).astype(int)
        for x, y in zip(xs, ys, strict=True):
            self.dot(int(x), int(y), owner)

    def characters(self) -> list[list[tuple[str, int]]]:
        """Rows from the top; each character with the number of whoever drew there last, or -1."""
        return [
            [(chr(_EMPTY + int(bits)) if bits else " ", int(owner)) for bits, owner in zip(row, owners, strict=True)]
            for row, owners in zip(self._bits, self._owner, strict=True)
        ]


def column_ranges(
    xs: NDArray[np.float64], ys: NDArray[np.float64], *, low: float, high: float, width: int
) -> list[tuple[int, float, float, float, float]]:
    """Gather points by column of dots: (column, first y, lowest y, highest y, last y) for columns that have points.

    `xs` ascending and finite, shape (n,); `ys` finite, shape (n,).
    """
    if not len(xs):
        return []
    scale = (width - 1) / (high - low) if high > low else 0.0
    columns = np.rint((xs - low) * scale).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, np.diff(columns) > 0])
    ends = np.r_[starts[1:], len(xs)] - 1
    lowest = np.minimum.reduceat(ys, starts)
    highest = np.maximum.reduceat(ys, starts)
    return [
        (int(columns[s]), float(ys[s]), float(lo), float(hi), float(ys[e]))
        for s, e, lo, hi in zip(starts, ends, lowest, highest, strict=True)
    ]
