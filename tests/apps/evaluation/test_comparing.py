"""Two models on the same samples."""

from math import comb

import pytest

from runyard.apps.evaluation import compare
from runyard.apps.evaluation.comparing import sign_test
from runyard.tracking.predictions import collect
from tests.apps.evaluation.builders import digits, distances


def test_only_samples_on_which_one_is_better_are_differences() -> None:
    first = collect(list("aabb"), list("abba"), ids=["1", "2", "3", "4"], labels=["a", "b"])
    second = collect(list("aabb"), list("aaaa"), ids=["1", "2", "3", "4"], labels=["a", "b"])

    found = compare(first, second)

    assert (found.both_right, found.both_wrong, found.first_better, found.second_better) == (1, 1, 1, 1)
    assert {(each.id, each.is_second_better) for each in found.differences} == {("2", True), ("3", False)}


def test_samples_are_matched_by_id_and_classes_by_name() -> None:
    first = collect(["cat", "dog", "cat"], ["cat", "dog", "dog"], ids=["x", "y", "z"])
    second = collect([1, 0, 1], [1, 1, 0], labels=["dog", "cat"], ids=["x", "y", "w"])

    found = compare(first, second)

    assert (found.common, found.only_first, found.only_second, found.both_right) == (2, 1, 1, 1)
    assert [(each.id, each.first_answer, each.second_answer) for each in found.differences] == [("y", "dog", "cat")]


def test_a_sample_with_another_truth_is_told_and_left_out() -> None:
    first = collect(["a", "b"], ["a", "a"], ids=["x", "y"])
    second = collect(["a", "a"], ["a", "a"], ids=["x", "y"], labels=["a", "b"])

    found = compare(first, second)

    assert (found.common, found.relabelled) == (1, 1)


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (5, 5), (12, 3), (40, 61)])
def test_the_p_value_is_that_of_a_fair_coin(won: int, lost: int) -> None:
    n = won + lost
    exact = min(1.0, 2 * sum(comb(n, k) for k in range(min(won, lost) + 1)) / 2**n)

    assert sign_test(won, lost) == pytest.approx(exact)


def test_many_samples_do_not_overflow() -> None:
    assert 0 <= sign_test(40_000, 41_000) < 0.001


def test_values_are_compared_by_their_distance() -> None:
    found = compare(distances(noise=0.5), distances(seed=1, noise=0.01))

    assert found.second_better > found.first_better
    assert found.p_value < 0.001


def test_classes_cannot_be_compared_with_values() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(digits(), distances())
