"""Checks of models without PyTorch: estimators of scikit-learn, and functions of arrays."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from runyard.testing import assert_batch_independent, assert_forward, assert_gradients, assert_roundtrip, tiny_data

X, Y = tiny_data("table", n=24)


def softmax(z: Any) -> Any:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def classifier(**settings: Any) -> Any:
    linear: Any = pytest.importorskip("sklearn.linear_model")
    return linear.SGDClassifier(loss="log_loss", random_state=0, **settings)


class Label(NamedTuple):
    label: int
    probability: float


def predict(samples: list[Any]) -> list[Label]:
    """As src/inference.py of a project does it."""
    return [Label(int(sample.sum() > 2), float(sample.mean())) for sample in samples]


def test_an_estimator_gives_probabilities() -> None:
    model = classifier().fit(X, Y)

    assert_forward(model, X, shape=("n", 2), outputs="probabilities", range=(0, 1))
    assert_forward(model, X, shape=("n",), dtype="int64", method="predict")


def test_a_function_that_gives_records_is_called() -> None:
    assert_forward(predict, list(X))
    assert_batch_independent(predict, list(X))


def test_a_wrong_shape_is_told() -> None:
    with pytest.raises(AssertionError, match=r"forward: the output has the shape \(24, 4\); \(n, 3\) is declared"):
        assert_forward(lambda x: x, X, shape=("n", 3))


def test_probabilities_instead_of_logits_are_told() -> None:
    with pytest.raises(AssertionError, match=r"to be logits, but every row lies in 0 to 1 and sums up to 1"):
        assert_forward(softmax, X, outputs="logits")
    assert_forward(lambda x: x, X, outputs="logits")


def test_a_softmax_over_the_wrong_axis_is_told() -> None:
    with pytest.raises(AssertionError, match=r"over another axis"):
        assert_forward(lambda x: softmax(x.T).T, X, outputs="probabilities")


def test_noise_in_the_model_is_told() -> None:
    generator = np.random.default_rng(0)

    with pytest.raises(AssertionError, match=r"another one for the same inputs .* dropout that does not heed eval"):
        assert_forward(lambda x: x + generator.normal(size=x.shape), X)


def test_a_lost_axis_is_told() -> None:
    with pytest.raises(AssertionError, match=r"squeeze\(\) without an axis"):
        assert_forward(lambda x: np.squeeze(x.sum(axis=1, keepdims=True)).reshape(len(x), -1).squeeze(), X[:, :3])


def test_statistics_of_the_batch_are_told() -> None:
    assert_batch_independent(lambda x: x * 2, X)
    with pytest.raises(
        AssertionError, match=r"sample 0 gives .* alone and .* in a batch of 24 .* normalisation over axis 0"
    ):
        assert_batch_independent(lambda x: (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3), X)


def test_a_state_that_earlier_samples_leave_is_told() -> None:
    def running(x: Any) -> Any:
        return np.cumsum(x, axis=0)

    with pytest.raises(AssertionError, match=r"in reverse|alone"):
        assert_batch_independent(running, X)
    with pytest.raises(AssertionError, match=r"takes two samples"):
        assert_batch_independent(running, X[:1])


def test_learning_moves_all_coefficients() -> None:
    network: Any = pytest.importorskip("sklearn.neural_network")

    assert_gradients(classifier(), X, Y)
    assert_gradients(network.MLPClassifier((3,), random_state=0), X, Y)
    with pytest.raises(TypeError, match=r"neither a module"):
        assert_gradients(object(), X)


def test_a_learning_rate_of_nothing_is_told() -> None:
    model = classifier(learning_rate="constant", eta0=1e-300)

    with pytest.raises(AssertionError, match=r"2 of 2 coefficients did not move .*: coef_, intercept_"):
        assert_gradients(model, X, Y)
    assert not hasattr(model, "coef_")


def test_an_estimator_survives_saving() -> None:
    pytest.importorskip("skops")

    assert_roundtrip(classifier().fit(X, Y), X)


def test_a_scaler_that_is_not_saved_is_told() -> None:
    class Scaled:
        def __init__(self, weights: Any, mean: Any) -> None:
            self.weights, self.mean = weights, mean

        def __call__(self, x: Any) -> Any:
            return (x - self.mean) @ self.weights

    def save(model: Scaled, folder: Path) -> None:
        np.save(folder / "weights.npy", model.weights)

    def load(folder: Path) -> Scaled:
        return Scaled(np.load(folder / "weights.npy"), np.zeros(4))

    model = Scaled(np.ones((4, 2)), np.full(4, 0.5))

    with pytest.raises(AssertionError, match=r"48 of 48 outputs differ after saving and loading, by up to 2\."):
        assert_roundtrip(model, X, save=save, load=load)
    assert_roundtrip(Scaled(np.ones((4, 2)), np.zeros(4)), X, save=save, load=load)
    with pytest.raises(TypeError, match=r"both save and load"):
        assert_roundtrip(model, X, save=save)
