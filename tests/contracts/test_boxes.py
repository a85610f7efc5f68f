"""Boxes: of known classes, within their image, as many lists of them as there are images."""

from typing import Any

import numpy as np
import pytest

from runyard.contracts import Array, Boxes, Contract

CONTRACT = Contract(image=Array(("n", 32, 32)), boxes=Boxes("n", labels=range(3), width=32, height=32, at_most=2))
IMAGES = np.zeros((2, 32, 32))
GOOD = np.array([[2, 1, 1, 9, 9]], np.float32)


def said(*boxes: Any) -> list[str]:
    return [str(problem) for problem in CONTRACT.problems({"image": IMAGES, "boxes": list(boxes)})]


def test_images_with_boxes_and_without_are_fine() -> None:
    assert said(GOOD, []) == []
    assert said([[0, 0, 0, 32, 32]], np.zeros((0, 5))) == []


def test_as_many_lists_of_boxes_as_images_are_wanted() -> None:
    assert said(GOOD) == ["boxes has n = 1, but image has n = 2."]


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ([7, 1, 1, 9, 9], "has a box of 7 at 1, 1, 9, 9, and no class 7 is declared."),
        ([0, 1, 1, 40, 9], "has a box of 0 at 1, 1, 40, 9, beyond its image of 32 x 32 pixels."),
        ([0, 9, 1, 1, 9], "has a box of 0 at 9, 1, 1, 9: -8 x 8 pixels, and at least 1 are declared."),
        ([0, np.nan, 1, 1, 9], "has a number that is NaN or infinite."),
        ([0, 1, 1, 9], "has the shape (1, 4); (k, 5) is declared: label, left, top, right, bottom."),
    ],
)
def test_a_box_that_does_not_fit_is_told_with_its_image(box: list[float], sentence: str) -> None:
    assert said(GOOD, [box]) == [f"boxes[1] {sentence}"]


def test_too_many_boxes_none_at_all_and_rare_classes_are_told() -> None:
    strict = Boxes(labels=range(3), empty=False, each_at_least=1)

    assert said(np.repeat(GOOD, 3, axis=0), []) == ["boxes[0] has 3 boxes; at most 2 are declared."]
    assert [str(each) for each in strict.problems([[]])] == ["value[0] has no box."]
    assert [str(each) for each in strict.problems([GOOD])] == [
        "value holds 0 (0 times), 1 (0 times) too rarely; at least 1 of each are declared."
    ]
