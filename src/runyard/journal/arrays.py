"""Types of arrays. Apart from the reader, so that looking for an event does not load NumPy."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def thinned(values: FloatArray, points: int) -> IntArray:
    """Which of the values to draw, about `points` of them: the lowest and the highest of each stretch, the two ends.

    Raises:
        ValueError: fewer than 4 points are asked for.
    """
    if points < 4:
        raise ValueError(f"a series cannot be thinned to {points} points; 4 are the least")
    if len(values) <= points:
        return np.arange(len(values))
    stretches = (points - 2) // 2
    borders = np.linspace(0, len(values), stretches + 1).astype(np.intp)
    lows = np.where(np.isnan(values), np.inf, values)
    highs = np.where(np.isnan(values), -np.inf, values)
    kept = {0, len(values) - 1}
    for begin, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        kept |= {begin + int(lows[begin:end].argmin()), begin + int(highs[begin:end].argmax())}
    return np.array(sorted(kept))
