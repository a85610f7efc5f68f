"""Checks of trainings, without any framework: a line is fitted by gradient descent with momentum."""

import json
from typing import Any

import numpy as np
import pytest

from runyard import Config, Run
from runyard.testing import assert_overfits, assert_reproducible, assert_resumes


class TrainConfig(Config):
    seed: int = 0
    epochs: int = 8
    lr: float = 0.1
    momentum: float = 0.9
    noise: bool = False
    checkpoint_every: int = 2
    forgets: str = ""  # a bug to build in


DEFAULT = TrainConfig()
LEARNS = DEFAULT.replace({"epochs": 150})
X = np.linspace(0, 1, 16)
Y = 3 * X + 1


def descend(weights: Any, speed: Any, targets: Any, config: TrainConfig) -> tuple[Any, Any, float]:
    error = weights[0] * X + weights[1] - targets
    gradient = 2 * np.array([(error * X).mean(), error.mean()])
    speed = config.momentum * speed - config.lr * gradient
    return weights + speed, speed, float(np.square(error).mean())


def train(config: TrainConfig, run: Run) -> None:
    generator = np.random.default_rng(None if config.forgets == "seed" else config.seed)
    weights, speed, first = generator.normal(size=2), np.zeros(2), 0
    checkpoint = run.checkpoint_dir / "checkpoint.json"
    if checkpoint.exists() and config.forgets != "everything":
        saved = json.loads(checkpoint.read_text())
        weights, speed, first = np.array(saved["weights"]), np.array(saved["speed"]), saved["epoch"] + 1
        if config.forgets == "momentum":
            speed = np.zeros(2)
        if config.forgets == "epochs done":
            first = max(1, first - 3)
    targets = np.random.default_rng(7).permutation(Y) if config.forgets == "order of labels" else Y
    last = first + config.epochs if config.forgets == "count" and first else config.epochs
    for epoch in range(first, last):
        with np.errstate(all="ignore"):  # what explodes shall be seen by the check
            weights, speed, loss = descend(weights, speed, targets, config)
        run.log({"train/loss": loss}, step=epoch)
        if (epoch + 1) % config.checkpoint_every == 0:
            state: dict[str, Any] = {"weights": weights.tolist(), "speed": speed.tolist(), "epoch": epoch}
            checkpoint.write_text(json.dumps(state))


def test_a_right_training_passes_all_checks() -> None:
    assert_overfits(train, LEARNS, to=1e-3)
    assert_reproducible(train, DEFAULT)
    assert_resumes(train, DEFAULT)
    assert_resumes(train, DEFAULT, after=3)


def test_shuffled_labels_are_told() -> None:
    with pytest.raises(AssertionError) as told:
        assert_overfits(train, LEARNS.replace({"forgets": "order of labels"}), to=0.01)

    assert str(told.value).startswith("overfit: train/loss ")
    assert " in 150 steps, wanted ≤ 0.01. " in str(told.value)
    assert "labels shuffled against inputs" in str(told.value)


def test_a_loss_that_stands_still_or_explodes_is_told() -> None:
    with pytest.raises(AssertionError, match=r"It does not fall at all\. Usual causes: the optimizer has other"):
        assert_overfits(train, LEARNS.replace({"lr": 0.0}))
    with pytest.raises(AssertionError, match=r"It is (nan|inf) from step \d+ on: a learning rate that is too high"):
        assert_overfits(train, LEARNS.replace({"lr": 1e200, "epochs": 10}))


def test_a_metric_that_is_not_logged_is_told() -> None:
    with pytest.raises(AssertionError, match=r"never logged 'val/loss'; it logged train/loss\."):
        assert_overfits(train, DEFAULT, metric="val/loss")


def test_a_forgotten_seed_is_told() -> None:
    with pytest.raises(AssertionError, match=r"reproducible: train/loss parts at step 0: .* without the seed"):
        assert_reproducible(train, DEFAULT.replace({"forgets": "seed"}))


def test_a_loader_that_shuffles_without_seed_is_told() -> None:
    def batches(generator: np.random.Generator) -> list[Any]:
        return [X[places] for places in np.split(generator.permutation(16), 4)]

    assert_reproducible(lambda: batches(np.random.default_rng(0)))
    with pytest.raises(
        AssertionError, match=r"part 0 is another one the second time\. .*shuffle=True without generator"
    ):
        assert_reproducible(lambda: batches(np.random.default_rng()))
    lengths = iter([2, 3])
    with pytest.raises(AssertionError, match="2 parts the first time, 3 the second"):
        assert_reproducible(lambda: [X] * next(lengths))


@pytest.mark.parametrize(
    ("bug", "sentence"),
    [
        ("momentum", r"resume: train/loss parts at step 5: .* the checkpoint lacks the optimizer's state \(momentum\)"),
        ("everything", r"begins at step 0 again, although checkpoint\.json was there"),
        ("epochs done", r"train/loss parts at step 1: .* an epoch is done twice"),
        ("count", r"train/loss was logged at other steps: 4 from 4 to 7 and 8 from 4 to 11"),
    ],
)
def test_what_a_resumed_training_forgets_is_told(bug: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        assert_resumes(train, DEFAULT.replace({"forgets": bug}))


def test_a_checkpoint_that_comes_too_late_is_told() -> None:
    with pytest.raises(
        AssertionError, match=r"killed after 5 calls of run\.log, there was nothing in run\.checkpoint_dir"
    ):
        assert_resumes(train, DEFAULT.replace({"checkpoint_every": 8}))


def test_a_training_that_cannot_be_killed_in_between_is_told() -> None:
    with pytest.raises(AssertionError, match="logged 1 time; it takes two"):
        assert_resumes(train, DEFAULT.replace({"epochs": 1}))
    with pytest.raises(AssertionError, match="after=8 kills nothing"):
        assert_resumes(train, DEFAULT, after=8)


def test_an_error_of_the_training_comes_through() -> None:
    def broken(config: TrainConfig, run: Run) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        assert_overfits(broken, DEFAULT)
