"""Values that are more or less far off: how many answers stay within a tolerance, and what the others cost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runyard.apps.evaluation.costs import Costs
from runyard.errors import UsageError
from runyard.tracking.predictions import Predictions

SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Tolerated:
    """What becomes of the answers at one tolerance, counted over the evaluation set.

    Attributes:
        within: off by at most the tolerance.
        low, high: further below, further above the truth.
    """

    tolerance: float
    within: int
    low: int
    high: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.within + self.low + self.high

    def cost(self, costs: Costs) -> float:
        """What `costs.per` answers cost; the first price is for those too low, the second for those too high."""
        return costs.per * (self.low * costs.missed + self.high * costs.alarm) / max(self.count, 1)


class Distances:
    """How far the answers of an evaluation are from the truth.

    Attributes:
        gaps: answer minus truth, shape (n,), sorted: what is below zero is too low.
    """

    def __init__(self, predictions: Predictions) -> None:
        """Raises UsageError if answers are classes or boxes, which are right or wrong."""
        if not predictions.has_values:
            raise UsageError(
                "Answers that are right or wrong have no distance. Scored(predictions, label) is for them."
            )
        gaps = predictions.predictions - predictions.targets
        self.gaps: NDArray[np.float64] = np.sort(gaps)
        self._sizes: NDArray[np.float64] = np.sort(np.abs(gaps))

    @property
    def largest(self) -> float:
        """The worst distance; 0 if there are no answers."""
        return float(self._sizes[-1]) if len(self._sizes) else 0.0

    def at(self, tolerance: float) -> Tolerated:
        """What happens if an answer may be off by so much, itself included."""
        low = int(np.searchsorted(self.gaps, -tolerance, side="left"))
        high = len(self.gaps) - int(np.searchsorted(self.gaps, tolerance, side="right"))
        return Tolerated(tolerance=tolerance, within=len(self.gaps) - low - high, low=low, high=high)

    def tolerance_for(self, share: float) -> float:
        """The smallest tolerance within which such a share (0 to 1) of the answers stays."""
        n = len(self._sizes)
        return float(self._sizes[min(max(int(np.ceil(share * n - 1e-9)) - 1, 0), n - 1)]) if n else 0.0
