"""The two curves that experts ask for: ROC, and precision over recall, each with the area under it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runyard.apps.evaluation.deciding import Scored

_MOST_POINTS = 600  # more than a screen shows


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Points of a curve, shape (n,) each, both from 0 to 1, and the area under it."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    area: float


def roc(scored: Scored) -> Rate | None:
    """True positive rate over false positive rate, area by trapezoids; None if one of the two classes is empty."""
    if not (len(scored.wanted) and len(scored.others)):
        return None
    thresholds = scored.candidates[::-1]
    y = 1 - np.searchsorted(scored.wanted, thresholds) / len(scored.wanted)
    x = 1 - np.searchsorted(scored.others, thresholds) / len(scored.others)
    area = float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum())
    return _thinned(x, y, area)


def precision_recall(scored: Scored) -> Rate | None:
    """Precision over recall; the area is the average precision, without interpolation. None if nothing is wanted."""
    if not len(scored.wanted):
        return None
    thresholds = scored.candidates[-2::-1]  # above the highest score nothing is found, and nothing to be right about
    hits = len(scored.wanted) - np.searchsorted(scored.wanted, thresholds)
    alarms = len(scored.others) - np.searchsorted(scored.others, thresholds)
    recall, precision = hits / len(scored.wanted), hits / np.maximum(hits + alarms, 1)
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return _thinned(np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), area)


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64], area: float) -> Rate:
    if len(x) > _MOST_POINTS:
        kept = np.unique(np.linspace(0, len(x) - 1, _MOST_POINTS).round().astype(np.intp))
        x, y = x[kept], y[kept]
    return Rate(x=x, y=y, area=area)
