"""Checks of trainings with PyTorch, on the bugs that are made with it."""

from typing import Any

import pytest

from runyard import Config, Run
from runyard.testing import assert_overfits, assert_reproducible, deterministic, tiny_data

torch: Any = pytest.importorskip("torch")
nn: Any = torch.nn

pytestmark = pytest.mark.torch

IMAGES, LABELS = tiny_data("images", n=16, classes=4)
X, Y = torch.from_numpy(IMAGES), torch.from_numpy(LABELS)


class TrainConfig(Config):
    epochs: int = 60
    bug: str = ""


DEFAULT = TrainConfig()


def train(config: TrainConfig, run: Run) -> None:
    if config.bug != "no seed":
        torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    if config.bug == "eval mode":
        model.eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    if config.bug == "detached":
        optimizer = torch.optim.Adam([parameter.detach().clone() for parameter in model.parameters()], lr=0.05)
    for epoch in range(config.epochs):
        outputs = model(X).softmax(dim=1) if config.bug == "softmax twice" else model(X)
        loss = nn.functional.cross_entropy(outputs, Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"train/loss": loss.item()}, step=epoch)


def test_a_right_training_passes() -> None:
    with deterministic():
        assert_overfits(train, DEFAULT)
        assert_reproducible(train, DEFAULT.replace({"epochs": 3}))


@pytest.mark.parametrize(
    ("bug", "sentence"),
    [
        ("softmax twice", r"0\.7437 is where cross-entropy ends for 4 classes if softmax is applied twice"),
        ("eval mode", r"BatchNorm1d computed gradients in evaluation mode only\. model\.train\(\) is missing"),
        ("detached", r"It does not fall at all\. .*the optimizer has other parameters than the model"),
    ],
)
def test_a_bug_is_told_by_what_it_looks_like(bug: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        assert_overfits(train, DEFAULT.replace({"bug": bug}))


def test_frozen_statistics_may_be_meant() -> None:
    assert_overfits(train, DEFAULT.replace({"bug": "eval mode"}), may_stay_in_eval=True)


def test_first_weights_without_seed_are_told() -> None:
    with pytest.raises(AssertionError, match="train/loss parts at step 0"):
        assert_reproducible(train, DEFAULT.replace({"bug": "no seed", "epochs": 2}))


def test_a_loader_without_generator_is_told() -> None:
    def batches(**settings: Any) -> Any:
        return list(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=4, **settings))

    assert_reproducible(lambda: batches(shuffle=True, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(AssertionError, match="part 0"):
        assert_reproducible(lambda: batches(shuffle=True))
