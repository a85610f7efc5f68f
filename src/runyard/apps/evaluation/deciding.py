"""Where to draw the line: what a threshold lets pass, what it stops, and what both cost.

A sample is taken for the wanted class ("defect") if its score is at least the threshold. An evaluation set seldom
holds as many defects as the customer's line does, so what is said of 1,000 parts is said of a share of defects that
can be chosen: the rates are measured, the share is known to the customer.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runyard.apps.evaluation.costs import Costs
from runyard.errors import UsageError
from runyard.tracking.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What happens at one threshold, counted over the evaluation set.

    Attributes:
        hits: wanted and found.
        misses: wanted and not found.
        alarms: found and not wanted.
        passed: neither.
        share: of wanted ones in what the rates are applied to, 0 to 1.
    """

    threshold: float
    hits: int
    misses: int
    alarms: int
    passed: int
    share: float

    @property
    def miss_rate(self) -> float:
        """The part of the wanted ones that is not found; 0 if there are none."""
        return self.misses / max(self.hits + self.misses, 1)

    @property
    def alarm_rate(self) -> float:
        """The part of the others that is found all the same; 0 if there are none."""
        return self.alarms / max(self.alarms + self.passed, 1)

    def misses_of(self, n: int) -> float:
        """How many of n things are missed."""
        return n * self.share * self.miss_rate

    def alarms_of(self, n: int) -> float:
        """How many of n things raise a false alarm."""
        return n * (1 - self.share) * self.alarm_rate

    def hits_of(self, n: int) -> float:
        """How many of n things are found rightly."""
        return n * self.share * (1 - self.miss_rate)

    def passed_of(self, n: int) -> float:
        """How many of n things pass rightly."""
        return n * (1 - self.share) * (1 - self.alarm_rate)

    def cost(self, costs: Costs) -> float:
        """What `costs.per` things cost."""
        return self.misses_of(costs.per) * costs.missed + self.alarms_of(costs.per) * costs.alarm


@dataclass(frozen=True, kw_only=True)
class CostCurve:
    """Costs over the threshold, shape (n,) each, thresholds rising; `best` is the cheapest threshold.

    Where a whole stretch is equally cheap, `best` is its middle: the farthest from doing something worse.
    """

    thresholds: NDArray[np.float64]
    costs: NDArray[np.float64]
    best: float
    best_cost: float


class Scored:
    """The scores of one class: of the samples that are of it, and of the others.

    Of a detection the samples are images: whether there is such a thing in one, wherever it lies, and how sure the
    surest such box is.

    Attributes:
        label: the wanted class.
        wanted, others: sorted scores, shape (n,) each.
    """

    def __init__(self, predictions: Predictions, label: int) -> None:
        """Raises UsageError if no scores were kept for the class."""
        if label not in predictions.scored_labels:
            raise UsageError(
                "No scores were kept, only decisions, so there is no threshold to move. Give scores= to "
                "run.log_predictions."
            )
        scores = predictions.scores_of(label)
        is_wanted = predictions.is_of(label)
        self.label = predictions.labels[label]
        self.wanted: NDArray[np.float64] = np.sort(scores[is_wanted])
        self.others: NDArray[np.float64] = np.sort(scores[~is_wanted])

    @property
    def share(self) -> float:
        """The share of wanted ones in the evaluation set, 0 to 1."""
        return len(self.wanted) / max(len(self.wanted) + len(self.others), 1)

    @property
    def range(self) -> tuple[float, float]:
        """From where to where a threshold may be moved: 0 to 1, or as far as the scores go."""
        return min(0.0, float(self.candidates[0])), max(1.0, float(self.candidates[-1]))

    @cached_property
    def candidates(self) -> NDArray[np.float64]:
        """All thresholds that make a difference, shape (n,), rising: one between any two neighbouring scores."""
        scores = np.unique(np.concatenate([self.wanted, self.others]))
        low = min(0.0, float(scores[0]))
        high = (float(scores[-1]) + 1) / 2 if scores[-1] < 1 else float(scores[-1]) + 1e-6
        return np.concatenate([[low], (scores[1:] + scores[:-1]) / 2, [high]])

    def at(self, threshold: float, *, share: float | None = None) -> Decision:
        """What happens at a threshold; `share` of wanted ones, that of the evaluation set if left out."""
        misses = int(np.searchsorted(self.wanted, threshold))
        passed = int(np.searchsorted(self.others, threshold))
        return Decision(
            threshold=threshold,
            hits=len(self.wanted) - misses,
            misses=misses,
            alarms=len(self.others) - passed,
            passed=passed,
            share=self.share if share is None else share,
        )

    def curve(self, costs: Costs, *, share: float | None = None) -> CostCurve:
        """The costs at every threshold that makes a difference."""
        wanted_share = self.share if share is None else share
        thresholds = self.candidates
        missed = np.searchsorted(self.wanted, thresholds) / max(len(self.wanted), 1)
        alarm = 1 - np.searchsorted(self.others, thresholds) / len(self.others) if len(self.others) else 0.0 * missed
        total = costs.per * (wanted_share * missed * costs.missed + (1 - wanted_share) * alarm * costs.alarm)
        place = _middle_of_the_lowest(total)
        return CostCurve(
            thresholds=thresholds, costs=total, best=float(thresholds[place]), best_cost=float(total[place])
        )


def _middle_of_the_lowest(values: NDArray[np.float64]) -> int:
    """The middle of the longest stretch of smallest values."""
    is_lowest = values <= values.min() + 1e-9 * max(1.0, abs(float(values.min())))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_lowest.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int((starts[longest] + ends[longest] - 1) // 2)
