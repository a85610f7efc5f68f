"""Checks of behaviour, on a function, an estimator and a module."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from runyard.testing import assert_cases, assert_direction, assert_invariant, tiny_data

X, Y = tiny_data("images", n=16)


class Output(NamedTuple):
    label: int
    probability: float


def brightness(samples: Any) -> Any:
    """How much ink there is."""
    return np.asarray(samples).reshape(len(samples), -1).mean(axis=1)


def predict(samples: list[Any]) -> list[Output]:
    return [Output(int(value > 0.5), float(value)) for value in brightness(samples)]


def flip(image: Any) -> Any:
    return image[:, ::-1]


def scratch(image: Any) -> Any:
    worn = image.copy()
    worn[2] = 1.0
    return worn


def test_what_must_not_matter_does_not() -> None:
    assert_invariant(brightness, X, flip, atol=1e-6)
    assert_invariant(predict, list(X), flip, atol=1e-6)


def test_a_model_that_looks_at_the_side_is_told() -> None:
    with pytest.raises(AssertionError) as told:
        assert_invariant(lambda x: x[:, :, 0].mean(axis=1) > 0.5, X, flip, what="a flip")

    assert str(told.value).startswith("invariance: a flip changes ")
    assert "#0: False → True" in str(told.value) or "→" in str(told.value)
    assert "at least 100% must stay" in str(told.value)


def test_some_may_change() -> None:
    def sensitive(samples: Any) -> Any:
        return np.array([index == 0 and image[0, 0] > image[0, -1] for index, image in enumerate(samples)])

    changed = [image * 0 if index else image[:, ::-1] for index, image in enumerate(X)]
    assert changed
    assert_invariant(sensitive, X, flip, at_least=0.9)


def test_lost_predictions_are_told() -> None:
    with pytest.raises(AssertionError, match="16 samples gave 15 predictions"):
        assert_invariant(lambda x: x[1:, 0, 0], X, flip)


def test_scores_go_where_they_must() -> None:
    assert_direction(brightness, X, scratch, goes="up", strictly=True)
    with pytest.raises(
        AssertionError, match=r"a scratch must move the score down, but for 16 of 16 samples .* the sign"
    ):
        assert_direction(brightness, X, scratch, goes="down", what="a scratch")
    with pytest.raises(AssertionError, match="must move the score up"):
        assert_direction(brightness, X, flip, goes="up", strictly=True)
    assert_direction(brightness, X, flip, goes="up", atol=1e-6)
    with pytest.raises(TypeError, match="one number a sample"):
        assert_direction(lambda x: np.asarray(x), X, flip, goes="up")


def test_named_cases_are_right() -> None:
    black, white = np.ones((8, 8)), np.zeros((8, 8))
    cases: dict[str, Any] = {
        "all ink": (black, {"label": 1}),
        "paper": (white, {"label": 0, "probability": 0.0}),
        "half": (black / 2, lambda output: 0.4 < output["probability"] < 0.6),
    }

    assert_cases(predict, cases)
    with pytest.raises(AssertionError, match=r"cases: 1 of 3 are wrong\.\n  paper: label 0, probability 0, not 1"):
        assert_cases(predict, cases | {"paper": (white, 1)})
    assert_cases(predict, cases | {"paper": (white, 1)}, at_least=0.6)
    with pytest.raises(AssertionError, match=r"half: .* not what it expects"):
        assert_cases(predict, {"half": (black / 2, lambda output: output["label"] == 1)})
    with pytest.raises(AssertionError, match="there are none"):
        assert_cases(predict, {})


def test_estimators_are_asked_for_labels() -> None:
    linear: Any = pytest.importorskip("sklearn.linear_model")
    flat = X.reshape(16, -1)
    model = linear.LogisticRegression().fit(flat, Y)

    assert_invariant(model, flat, lambda row: row * 1.01)
    assert_cases(model, {"first": (flat[0], 0), "second": (flat[1], 1)})
    with pytest.raises(AssertionError, match="cases: 1 of 1 are wrong"):
        assert_cases(model, {"first": (flat[0], 1)})


@pytest.mark.torch
def test_modules_are_called() -> None:
    torch: Any = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1))
    images = torch.from_numpy(X)

    assert_invariant(model, images, lambda image: image + 0)
    with pytest.raises(AssertionError, match="invariance"):
        assert_invariant(model, images, lambda image: image.flip(0) + 1)
