"""Histograms: JSON {"edges": [n + 1], "counts": [n]}."""

from typing import Any

import msgspec
import numpy as np

from runyard.errors import UsageError

MAX_BINS = 10_000


def histogram_of(values: Any, *, bins: int = 64) -> tuple[bytes, dict[str, Any]]:
    """Count the values of an array or tensor of any shape in `bins` equal bins; NaN and infinities are counted apart.

    Raises:
        UsageError: they are no numbers, or there are too many bins.
    """
    if not 1 <= bins <= MAX_BINS:
        raise UsageError(f"A histogram has 1 to {MAX_BINS:,} bins, not {bins}.")
    if hasattr(values, "detach"):
        values = values.detach().float().cpu()
    try:
        numbers = np.asarray(values, np.float64).ravel()
    except (TypeError, ValueError):
        raise UsageError(f"A histogram needs numbers, not {type(values).__name__}.") from None
    finite = numbers[np.isfinite(numbers)]
    counts, edges = np.histogram(finite, bins=bins)
    return _encode(counts.tolist(), edges.tolist(), not_finite=int(numbers.size - finite.size))


def histogram_from(counts: Any, edges: Any) -> tuple[bytes, dict[str, Any]]:
    """A histogram that was counted elsewhere.

    Raises:
        UsageError: there is not one edge more than counts, or the edges do not grow.
    """
    heights = np.asarray(counts, np.float64).ravel()
    borders = np.asarray(edges, np.float64).ravel()
    if borders.size != heights.size + 1 or not heights.size or heights.size > MAX_BINS:
        raise UsageError(f"{heights.size} counts need {heights.size + 1} edges, not {borders.size}.")
    if not (np.isfinite(borders).all() and (np.diff(borders) > 0).all() and np.isfinite(heights).all()):
        raise UsageError("The edges of a histogram must grow, and all its numbers must be finite.")
    return _encode(heights.tolist(), borders.tolist(), not_finite=0)


def _encode(counts: list[float], edges: list[float], *, not_finite: int) -> tuple[bytes, dict[str, Any]]:
    data = msgspec.json.encode({"edges": edges, "counts": counts, "not_finite": not_finite})
    return data, {"bins": len(counts), "count": sum(counts)}
