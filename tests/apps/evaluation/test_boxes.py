"""Answers that are boxes: what counts as found, and what the numbers say of it."""

import numpy as np
import pytest

from runyard.apps.evaluation import Scored, compare, errors, measure
from runyard.tracking.predictions import collect_boxes
from tests.apps.evaluation.builders import scenes

IMAGE = np.zeros((1, 32, 32), np.float32)


def test_an_image_is_right_if_all_is_found_and_nothing_else() -> None:
    found = measure(scenes())

    assert (found.count, found.errors) == (6, 4)
    assert [(each.label, each.count) for each in found.classes] == [("pore", 4), ("crack", 5)]
    assert found.confusion.tolist() == [[3, 1, 0], [0, 2, 3], [1, 0, 0]]
    assert found.recall == pytest.approx(5 / 9)
    assert found.precision == pytest.approx(5 / 7)


def test_average_precision_is_that_of_all_kept_boxes_in_the_order_of_their_scores() -> None:
    wanted = [[[0, 0, 0, 10, 10], [0, 20, 20, 30, 30]]]
    found = [[[0, 0, 0, 10, 10, 0.9], [0, 10, 10, 20, 20, 0.8], [0, 20, 20, 30, 30, 0.1]]]

    measured = measure(collect_boxes(wanted, found, labels=["pore"], images=IMAGE))

    assert measured.mean_precision == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_a_second_box_for_the_same_thing_is_one_too_many() -> None:
    twice = [[[0, 0, 0, 10, 10, 0.9], [0, 0, 1, 10, 10, 0.8]]]
    predictions = collect_boxes([[[0, 0, 0, 10, 10]]], twice, labels=["pore"], images=IMAGE)

    assert predictions.mistakes(0) == [("–", "pore")]
    assert predictions.wrongness.tolist() == pytest.approx([0.8])


def test_a_threshold_asks_whether_there_is_such_a_thing_in_the_image() -> None:
    scored = Scored(scenes(), 1)

    assert scored.wanted.tolist() == pytest.approx([0, 0.2, 0.9, 0.9, 0.9])
    assert scored.others.tolist() == [0]
    assert scored.at(0.1).misses == 1


def test_errors_are_grouped_by_what_was_to_be_found_or_by_what_became_of_it() -> None:
    by_label, by_confusion = (errors(scenes(), group_by=name) for name in ("label", "confusion"))

    assert {name: len(items) for name, items in by_label.items()} == {"crack": 2, "pore": 2}
    assert set(by_confusion) == {"crack → –", "pore → crack", "– → pore"}
    (too_many,) = by_confusion["– → pore"]
    assert (too_many.target, too_many.prediction) == ("crack, pore", "crack, pore, pore")


def test_two_models_are_compared_by_what_they_got_right_on_the_same_images() -> None:
    found = compare(scenes(), scenes(score=0.4))

    assert (found.common, found.both_right, found.first_better, found.second_better) == (6, 1, 1, 0)
    assert found.differences[0].second_answer == "–"


def test_a_table_of_all_answers_tells_each_mistake() -> None:
    frame = scenes().frame()

    assert frame["mistakes"] == ["", "crack → –", "pore → crack; crack → –", "– → pore", "", "crack → –"]
    assert frame["score:crack"] == pytest.approx([0.9, 0, 0.9, 0.9, 0, 0.2])
