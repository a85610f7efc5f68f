"""The points of a run that is being logged, few enough to draw: read from its own journal, a piece at a time."""

from pathlib import Path

import numpy as np

from runyard.errors import FormatUnknown, JournalDamaged
from runyard.journal.arrays import FloatArray, IntArray, thinned
from runyard.journal.reader import Decoder, Rows

_DRAWN = 150  # points of a curve in a picture of 300 pixels
_KEPT = 20 * _DRAWN
_PIECE_BYTES = 16 << 20


class Points:
    """Every series of one stream, thinned so that its lows and highs stay."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._decoder = Decoder()
        self._series: dict[str, tuple[IntArray, FloatArray]] = {}
        self.count = 0  # of all points of all series

    def read(self) -> bool:
        """Take what is new in the journal; say whether there was any."""
        before = self.count
        try:
            with self._journal.open("rb") as file:
                is_more = True
                while is_more:
                    file.seek(self._decoder.offset)
                    offset, data = self._decoder.offset, file.read(_PIECE_BYTES)
                    for item in self._decoder.feed(data):
                        if isinstance(item, Rows):
                            self._add(item)
                    is_more = len(data) == _PIECE_BYTES and self._decoder.offset > offset
        except (OSError, FormatUnknown, JournalDamaged):
            return False  # a picture less; the journal's other readers tell what is wrong with it
        return self.count > before

    def names(self) -> list[str]:
        """The series in the order in which they were first logged."""
        return list(self._series)

    def drawn(self, key: str) -> list[tuple[float, float]]:
        """At most some 150 points (step, value); the first and the last are always among them."""
        steps, values = _thin(*self._series[key], _DRAWN)
        return list(zip(steps.tolist(), values.tolist(), strict=True))

    def last(self, key: str) -> float:
        """The latest value."""
        return float(self._series[key][1][-1])

    def _add(self, rows: Rows) -> None:
        for column, key in enumerate(rows.keys):
            steps, values = rows.steps, rows.values[:, column]
            if key in self._series:
                before = self._series[key]
                steps, values = np.concatenate([before[0], steps]), np.concatenate([before[1], values])
            self._series[key] = _thin(steps, values, _KEPT // 2) if len(steps) > _KEPT else (steps, values)
        self.count += len(rows.steps) * len(rows.keys)


def _thin(steps: IntArray, values: FloatArray, points: int) -> tuple[IntArray, FloatArray]:
    kept = thinned(values, points)
    return steps[kept], values[kept]
