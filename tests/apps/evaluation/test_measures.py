"""Measures and curves, against scikit-learn and SciPy's formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.apps.evaluation import Scored, data_version, interval, measure, precision_recall, roc
from runyard.tracking.predictions import collect
from tests.apps.evaluation.builders import digits, distances, weld_seams


def test_measures_of_classes_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    predictions = digits(quality=1.0)

    found = measure(predictions)

    truth, answer = predictions.targets, predictions.predictions
    assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, answer))
    assert np.array_equal(found.confusion, metrics.confusion_matrix(truth, answer))
    precision, recall, _, count = metrics.precision_recall_fscore_support(truth, answer)
    assert [each.precision for each in found.classes] == pytest.approx(precision)
    assert [each.recall for each in found.classes] == pytest.approx(recall)
    assert [each.count for each in found.classes] == count.tolist()


def test_areas_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    predictions = digits(n=5000, quality=1.0)
    scored, is_eight = Scored(predictions, 1), predictions.targets == 1

    one, other = roc(scored), precision_recall(scored)

    assert one is not None
    assert one.area == pytest.approx(metrics.roc_auc_score(is_eight, predictions.scores_of(1)))
    assert other is not None
    assert other.area == pytest.approx(metrics.average_precision_score(is_eight, predictions.scores_of(1)))
    assert len(one.x) <= 600
    assert (one.x[0], one.y[0], one.x[-1], one.y[-1]) == (0, 0, 1, 1)


def test_a_set_without_one_of_the_classes_has_no_roc() -> None:
    assert roc(Scored(weld_seams([0.1, 0.2], [0, 0]), 1)) is None
    assert precision_recall(Scored(weld_seams([0.1, 0.2], [0, 0]), 1)) is None


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_interval_holds_the_share_and_stays_between_none_and_all(right: int, wrong: int) -> None:
    low, high = interval(right, right + wrong)

    assert 0 <= low <= high <= 1
    assert not right + wrong or low - 1e-9 <= right / (right + wrong) <= high + 1e-9


def test_the_interval_is_that_of_the_textbook() -> None:
    assert interval(3, 40) == pytest.approx((0.0258, 0.1986), abs=1e-4)


def test_measures_of_values_are_their_distances() -> None:
    predictions = distances()
    gap = predictions.predictions - predictions.targets

    found = measure(predictions)

    assert found.accuracy is None
    assert found.mean_error == pytest.approx(np.abs(gap).mean())
    assert found.root_mean_square == pytest.approx(np.sqrt((gap**2).mean()))
    assert found.r2 is not None
    assert 0.5 < found.r2 < 1


def test_nothing_can_be_measured_of_nothing() -> None:
    assert measure(digits().take([])).count == 0


def test_data_version_changes_with_a_label_and_not_with_the_order() -> None:
    one = collect(["a", "b"], ["a", "a"], ids=["x", "y"])

    assert data_version(one) == data_version(one.take([1, 0]))
    assert data_version(one) == data_version(collect(["a", "b"], ["b", "b"], ids=["x", "y"]))
    assert data_version(one) != data_version(collect(["b", "a"], ["a", "a"], ids=["x", "y"]))
