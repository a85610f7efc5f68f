"""The errors to look at, and in which order."""

import pytest

from runyard.apps.evaluation import errors
from runyard.apps.evaluation.gallery import count_errors
from runyard.errors import UsageError
from tests.apps.evaluation.builders import digits, distances, weld_seams


def test_only_errors_are_shown_and_the_worst_first() -> None:
    predictions = weld_seams([0.95, 0.1, 0.6, 0.2, 0.8], [0, 1, 0, 0, 1], ids=list("abcde"))

    (items,) = errors(predictions).values()

    assert [item.id for item in items] == ["a", "b", "c"]
    assert [(item.target, item.prediction) for item in items[:2]] == [("ok", "defect"), ("defect", "ok")]


def test_closest_calls_and_ids_are_the_other_two_orders() -> None:
    predictions = weld_seams([0.6, 0.15, 0.9], [0, 1, 0], ids=["b", "c", "a"])

    assert [item.id for item in errors(predictions, order="closest")[""]] == ["b", "c", "a"]
    assert [item.id for item in errors(predictions, order="id")[""]] == ["a", "b", "c"]


def test_groups_are_labels_or_confusions_and_the_largest_comes_first() -> None:
    predictions = digits(quality=0.5)

    by_label = errors(predictions, group_by="label", most=5)
    by_confusion = count_errors(predictions, group_by="confusion")

    counts = count_errors(predictions, group_by="label")
    assert list(by_label) == sorted(counts, key=lambda name: -counts[name])
    assert all(len(items) <= 5 for items in by_label.values())
    assert sum(by_confusion.values()) == sum(counts.values())
    assert all(" → " in name for name in by_confusion)


def test_values_are_all_shown_by_their_distance() -> None:
    (items,) = errors(distances(), group_by="label").values()

    assert len(items) == 40
    assert [item.wrongness for item in items] == sorted((item.wrongness for item in items), reverse=True)


def test_an_order_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="'worst', 'closest' or 'id'"):
        errors(digits(), order="random")  # type: ignore[arg-type]  # as a project's code may call it
