"""What a model saw, drawn over its input."""

import numpy as np
import pytest

from runyard.apps.show.overlay import has_overlay, overlaid, picture_of
from runyard.apps.show.trying import trials
from runyard.project.answers import columns_of

GRAY = np.full((10, 20, 3), 100, np.uint8)


def test_a_heatmap_colours_where_it_is_hot() -> None:
    heat = np.zeros((5, 10))
    heat[:, 5:] = 1.0

    drawn = overlaid(GRAY, {"heatmap": heat}, strength=1.0)

    assert drawn.shape == (320, 640, 3)
    assert drawn[0, 0].tolist() == [100, 100, 100]
    assert drawn[0, -1].tolist() == [214, 40, 40]
    assert np.array_equal(overlaid(GRAY, {"heatmap": heat}, strength=0.0), overlaid(GRAY, {}))


def test_boxes_are_frames_in_pixels_of_the_input() -> None:
    drawn = overlaid(GRAY, {"boxes": [[5, 2, 15, 8], [-5, -5, 500, 500]]})

    assert drawn[2 * 32, 10 * 32].tolist() == [214, 40, 40]
    assert drawn[5 * 32, 10 * 32].tolist() == [100, 100, 100]
    assert drawn[0, 0].tolist() == [214, 40, 40]


@pytest.mark.parametrize(
    "output", [{"boxes": []}, {"boxes": [[1, 2]]}, {"boxes": [[np.nan] * 4]}, {"mask": [1, 2]}, {}]
)
def test_what_cannot_be_drawn_is_left_out(output: dict[str, object]) -> None:
    assert np.array_equal(overlaid(GRAY, output), overlaid(GRAY, {}))
    assert not has_overlay(output)


@pytest.mark.parametrize(
    ("shape", "expected"), [((8, 9), (8, 9, 3)), ((3, 8, 9), (8, 9, 3)), ((1, 8, 9), (8, 9, 3)), ((8, 9, 4), (8, 9, 3))]
)
def test_inputs_of_any_layout_are_pictures(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    picture = picture_of(np.random.default_rng(0).normal(size=shape))

    assert picture is not None
    assert picture.shape == expected


@pytest.mark.parametrize("value", ["text", {"a": 1}, [1.0, 2.0], 5, np.zeros((1, 1)), [[1], [2, 3]]])
def test_rows_and_texts_are_no_pictures(value: object) -> None:
    assert picture_of(value) is None


def test_each_input_is_tried_by_itself_and_timed() -> None:
    asked: list[int] = []

    def predict(model: str, inputs: list[int]) -> list[dict[str, object]]:
        asked.append(len(inputs))
        return [{"answer": f"{model}{value}"} for value in inputs]

    found = trials("m", predict, [("a", 1), ("b", 2)])

    assert asked == [1, 1]
    assert [(trial.name, trial.answer) for trial in found] == [("a", {"answer": "m1"}), ("b", {"answer": "m2"})]
    assert all(trial.ms >= 0 for trial in found)
    assert columns_of(7) == {"prediction": 7}
