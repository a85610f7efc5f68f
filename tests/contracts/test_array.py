"""Arrays: what is declared of them is kept, or told with its place and what to look at."""

from typing import Any

import numpy as np
import pytest

from runyard.contracts import Array, ContractBroken

IMAGES = Array(("n", 8, 8), dtype="float32", range=(0, 1))
LABELS = Array(("n",), dtype="int64", values=range(10))


def images(n: int = 4) -> Any:
    return np.random.default_rng(0).random((n, 8, 8), dtype=np.float32)


def told(contract: Array, value: Any) -> str:
    return " ".join(problem.sentence for problem in contract.problems(value))


def test_what_is_as_declared_has_no_problems() -> None:
    assert IMAGES.problems(images()) == []
    assert LABELS.problems(np.arange(10)) == []
    IMAGES.check(images())


def test_first_broken_promise_is_an_error_that_holds_all() -> None:
    with pytest.raises(ContractBroken, match=r"value is float64; float32 is declared\. `\.astype") as broken:
        IMAGES.check(images().astype(np.float64))

    assert len(broken.value.problems) == 1


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((4, 8, 9), "has the shape (4, 8, 9); (n, 8, 8) is declared."),
        ((8, 8), "has the shape (8, 8), 2 axes; (n, 8, 8) is declared. Is the axis of the samples missing?"),
        ((4, 8, 8, 1), "has the shape (4, 8, 8, 1), 4 axes; (n, 8, 8) is declared."),
    ],
)
def test_another_shape_is_told(shape: tuple[int, ...], sentence: str) -> None:
    assert told(IMAGES, np.zeros(shape, np.float32)) == sentence


def test_axes_in_another_order_are_guessed() -> None:
    channels_first = Array(("n", 3, 28, 32))

    assert "in another order?" in told(channels_first, np.zeros((2, 28, 32, 3)))


def test_pixels_that_were_not_divided_are_guessed() -> None:
    sentence = told(IMAGES, images() * 255)

    assert "and 0 to 1 is declared" in sentence
    assert "of 256 values lie outside, the first at [0, 0, 0]. Were pixels not divided by 255?" in sentence


def test_missing_and_infinite_values_are_counted_with_their_place() -> None:
    broken = images()
    broken[1, 2, 3] = broken[2, 0, 0] = np.nan
    broken[3, 7, 7] = np.inf

    sentence = told(Array(), broken)

    assert "has 2 missing values (NaN, None or empty), the first at [1, 2, 3]." in sentence
    assert "has 1 infinite value, the first at [3, 7, 7]." in sentence
    assert Array(missing=True, finite=False).problems(broken) == []


def test_range_may_be_open_and_leaves_missing_values_alone() -> None:
    ages = Array(range=(0, None), missing=True)

    assert ages.problems([3.0, float("nan"), 120.0]) == []
    assert "goes from -1 to 3, and 0 to ∞ is declared: 1 of 2 values lie outside, the first at [1]." in told(
        ages, [3.0, -1.0]
    )


def test_label_that_nobody_declared_is_shown() -> None:
    sentence = told(LABELS, np.array([1, 10, 2, 10, -1]))

    assert sentence == "holds -1 (1 times), 10 (2 times), which 0 to 9 do not include, the first at [4]."


def test_texts_are_values_too() -> None:
    sorts = Array(("n",), dtype="text", values=("good", "scratch"))

    assert sorts.problems(["good", "scratch"]) == []
    assert "holds 'scrtch' (1 times)" in told(sorts, ["good", "scrtch"])
    assert "has 1 missing value" in told(sorts, np.array(["good", None], dtype=object))
    assert told(sorts, [1, 2]) == "is int64; text is declared."


def test_values_that_must_be_unique_are() -> None:
    ids = Array(("n",), unique=True)

    assert ids.problems(["a", "b"]) == []
    assert told(ids, ["a", "b", "a"]) == "must not hold a value twice, but 1 value do: 'a' (2 times)."


def test_too_few_samples_rare_classes_and_imbalance_are_told() -> None:
    labels = np.array([0] * 30 + [1] * 2)

    assert told(Array(at_least=50), labels) == "has 32 samples; at least 50 are declared."
    rare = Array(values=range(3), each_at_least=5)
    assert told(rare, labels) == "holds 1 (2 times), 2 (0 times) too rarely; at least 5 of each are declared."
    assert "is out of balance: 1 occurs 2 times and 0 30 times" in told(Array(balance=0.1), labels)
    assert Array(balance=0.05).problems(labels) == []


def test_kinds_of_types_are_enough() -> None:
    assert Array(dtype="float").problems(images()) == []
    assert Array(dtype="number").problems(np.arange(3)) == []
    assert told(Array(dtype="int"), images()) == "is float32; int is declared."
    assert Array(dtype="bool").problems([True, False]) == []


def test_plain_numbers_are_judged_by_their_kind() -> None:
    pixels = Array((2, 2), dtype="float32")

    assert pixels.problems([[0, 1], [0.5, 1]]) == []
    assert told(pixels, [["a", "b"], ["c", "d"]]) == "holds text; float32 is declared."
    assert told(Array(dtype="int64"), [0.5]) == "holds float64; int64 is declared."


def test_lists_that_are_no_array_are_told() -> None:
    assert told(IMAGES, [[1, 2], [3]]) == "is a list whose parts differ in length (1, 2)."
    assert "different shapes: (8, 8), (8, 9)." in told(IMAGES, [np.zeros((8, 8)), np.zeros((8, 9))])


def test_samples_in_a_list_are_a_batch() -> None:
    assert IMAGES.problems(list(images())) == []


def test_a_single_sample_has_no_axis_of_samples() -> None:
    one = Array(("n", 8, 8), at_least=100).one

    assert one.problems(images()[0]) == []
    assert "Is this a whole batch?" in told(one, images())


@pytest.mark.torch
def test_tensors_are_checked_like_arrays() -> None:
    torch: Any = pytest.importorskip("torch")

    assert IMAGES.problems(torch.rand(4, 8, 8, requires_grad=True)) == []
    assert "is float64; float32 is declared." in told(IMAGES, torch.rand(4, 8, 8, dtype=torch.float64))
    assert Array(dtype="bfloat16", range=(0, 1)).problems(torch.rand(3, dtype=torch.bfloat16)) == []
