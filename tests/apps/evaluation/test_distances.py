"""Answers that are numbers: how far off they are, and what that costs."""

import pytest

from runyard.apps.evaluation import Costs, Distances
from runyard.errors import UsageError
from runyard.tracking.predictions import collect
from tests.apps.evaluation.builders import weld_seams


def test_answers_are_within_a_tolerance_too_low_or_too_high() -> None:
    found = Distances(collect([10.0, 10.0, 10.0, 10.0], [10.0, 8.0, 11.0, 15.0]))

    at = found.at(1.0)

    assert (at.within, at.low, at.high) == (2, 1, 1)
    assert at.cost(Costs.of({"too little": 8, "too much": 2}, "€ per 100 days")) == pytest.approx(100 * (8 + 2) / 4)


@pytest.mark.parametrize(("share", "tolerance"), [(0.0, 0.0), (0.5, 1.0), (0.75, 2.0), (1.0, 5.0)])
def test_the_smallest_tolerance_for_a_share_is_told(share: float, tolerance: float) -> None:
    found = Distances(collect([10.0, 10.0, 10.0, 10.0], [10.0, 8.0, 11.0, 15.0]))

    assert found.tolerance_for(share) == tolerance
    assert found.at(tolerance).within >= share * 4


def test_classes_have_no_distance() -> None:
    with pytest.raises(UsageError, match="right or wrong have no distance"):
        Distances(weld_seams([0.1, 0.9], [0, 1]))
