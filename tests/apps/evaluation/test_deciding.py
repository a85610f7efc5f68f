"""Thresholds and costs, against counting by hand and by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.apps.evaluation import Costs, Scored
from runyard.errors import UsageError
from runyard.tracking.predictions import collect
from tests.apps.evaluation.builders import digits, weld_seams

PARTS = Costs.of({"missed defect": 120, "false alarm": 4}, "€ per 1000 parts")


def test_counts_at_a_threshold_are_those_one_counts_by_hand() -> None:
    scored = Scored(weld_seams([0.1, 0.4, 0.6, 0.2, 0.7, 0.9], [0, 0, 0, 1, 1, 1]), label=1)

    decision = scored.at(0.5)

    assert (decision.hits, decision.misses, decision.alarms, decision.passed) == (2, 1, 1, 2)
    assert decision.cost(PARTS) == pytest.approx(1000 * (0.5 / 3 * 120 + 0.5 / 3 * 4))


def test_counts_of_a_thousand_parts_follow_the_share_of_defects_on_the_line() -> None:
    scored = Scored(weld_seams([0.1, 0.4, 0.6, 0.2, 0.7, 0.9], [0, 0, 0, 1, 1, 1]), label=1)

    decision = scored.at(0.5, share=0.03)

    counts = [count(1000) for count in (decision.hits_of, decision.misses_of, decision.alarms_of, decision.passed_of)]
    assert counts == pytest.approx([20, 10, 970 / 3, 970 * 2 / 3])


def test_a_score_on_the_threshold_counts_as_found() -> None:
    assert Scored(weld_seams([0.5, 0.5], [0, 1]), label=1).at(0.5).hits == 1


def test_the_cheapest_threshold_is_the_middle_of_the_cheapest_stretch() -> None:
    curve = Scored(weld_seams([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]), label=1).curve(PARTS)

    assert curve.best == pytest.approx(0.5)
    assert curve.best_cost == 0


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_no_threshold_is_cheaper_than_the_best_one(samples: list[tuple[float, bool]], missed: int, alarm: int) -> None:
    scored = Scored(weld_seams([s for s, _ in samples], [int(d) for _, d in samples]), label=1)
    costs = Costs.of({"missed": missed, "alarm": alarm})

    curve = scored.curve(costs)

    tried = [scored.at(threshold).cost(costs) for threshold in np.linspace(-0.01, 1.01, 103)]
    assert curve.best_cost <= min(tried) + 1e-9
    assert curve.best_cost == pytest.approx(scored.at(curve.best).cost(costs))
    assert curve.costs == pytest.approx([scored.at(float(t)).cost(costs) for t in curve.thresholds])


def test_each_of_several_classes_can_be_the_wanted_one() -> None:
    predictions = digits()

    shares = [Scored(predictions, label).share for label in range(3)]

    assert shares == pytest.approx([67 / 200, 67 / 200, 66 / 200])


def test_decisions_without_scores_have_no_threshold() -> None:
    with pytest.raises(UsageError, match="No scores were kept"):
        Scored(collect([0, 1], [1, 1]), label=1)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("€ per 1000 parts", ("€", 1000, "parts")),
        ("€ je 1.000 Teile", ("€", 1000, "Teile")),
        ("$ / 500 welds", ("$", 500, "welds")),
        ("€ per part", ("€", 1, "part")),
        ("hours", ("hours", 1000, "")),
        ("", ("", 1000, "")),
    ],
)
def test_the_unit_says_of_how_many_things_a_page_speaks(unit: str, expected: tuple[str, int, str]) -> None:
    costs = Costs.of({"missed": 1, "alarm": 1}, unit)

    assert (costs.unit, costs.per, costs.things) == expected


@pytest.mark.parametrize("costs", [{"missed": 1}, {"a": 1, "b": -1}, {"a": 1, "b": float("nan")}, {"a": 1, "b": True}])
def test_costs_that_make_no_sense_are_refused(costs: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="costs"):
        Costs.of(costs)
