"""Checks of models of PyTorch."""

from typing import Any

import numpy as np
import pytest

from runyard.testing import assert_batch_independent, assert_forward, assert_gradients, assert_roundtrip, tiny_data

torch: Any = pytest.importorskip("torch")
nn: Any = torch.nn

pytestmark = pytest.mark.torch

IMAGES, LABELS = tiny_data("images", n=6)
X, Y = torch.from_numpy(IMAGES), torch.from_numpy(LABELS)


class Net(nn.Module):  # type: ignore[misc]  # PyTorch may be missing, so its classes are Any
    """A right one: batch norm, dropout, a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 2)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x))


class Changed(Net):
    """The same, with another ending."""

    def __init__(self, end: Any) -> None:
        super().__init__()
        self.end = end

    def forward(self, x: Any) -> Any:
        return self.end(self, super().forward(x))


def test_a_right_model_passes_all_checks() -> None:
    model = Net()
    model.head.eval()

    assert_forward(model, IMAGES, shape=("n", 2), dtype="float32", outputs="logits")
    assert_batch_independent(model, X)
    assert_gradients(model, X, Y, loss=nn.functional.cross_entropy)
    assert_roundtrip(model, X)

    assert model.training
    assert not model.head.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_softmax_twice_is_told() -> None:
    model = Changed(lambda self, z: z.softmax(dim=1))

    with pytest.raises(AssertionError, match=r"cross_entropy.* applies softmax once more"):
        assert_forward(model, X, outputs="logits")


def test_another_precision_is_told() -> None:
    with pytest.raises(AssertionError, match=r"is float32; float64 is declared"):
        assert_forward(Net(), X, dtype="float64")


def test_dropout_that_stays_on_is_told() -> None:
    model = Changed(lambda self, z: nn.functional.dropout(z, 0.5))

    with pytest.raises(AssertionError, match=r"functional\.dropout without training=self\.training"):
        assert_forward(model, X)


def test_batch_norm_that_mixes_samples_is_told() -> None:
    model = Net()
    model.body[2] = nn.BatchNorm1d(8, track_running_stats=False)

    with pytest.raises(
        AssertionError, match=r"sample 0 alone raises ValueError: .* BatchNorm that uses the batch's own"
    ):
        assert_batch_independent(model, X)


def test_attention_over_the_batch_is_told() -> None:
    model = Changed(lambda self, z: z.softmax(dim=0))

    with pytest.raises(AssertionError, match=r"a softmax, mean or normalisation over axis 0"):
        assert_batch_independent(model, X)


def test_a_frozen_layer_is_told_with_the_pattern_to_pass() -> None:
    model = Net()
    for parameter in model.body[1].parameters():
        parameter.requires_grad_(False)

    with pytest.raises(
        AssertionError, match=r"gradients: 2 of 6 parameters got none: body\.1\.weight, body\.1\.bias"
    ) as told:
        assert_gradients(model, X)
    assert 'frozen="body.1.*"' in str(told.value)
    assert_gradients(model, X, frozen="body.1.*")


def test_what_is_to_be_frozen_but_learns_is_told() -> None:
    with pytest.raises(AssertionError, match=r"are to be frozen, but got gradients: head.weight, head.bias"):
        assert_gradients(Net(), X, frozen=["head.*"])
    with pytest.raises(AssertionError, match=r"'heat.*' matches no parameter"):
        assert_gradients(Net(), X, frozen="heat.*")


def test_detached_parts_and_losses_are_told() -> None:
    detached = Changed(lambda self, z: self.head(self.body(X).detach()))
    with pytest.raises(AssertionError, match=r"got none: body.1.weight"):
        assert_gradients(detached, X)
    lost = Changed(lambda self, z: z.detach())
    with pytest.raises(AssertionError, match=r"the loss hangs on no parameter"):
        assert_gradients(lost, X)


def test_dead_and_wild_gradients_are_told() -> None:
    dead = Changed(lambda self, z: z * 0)
    with pytest.raises(AssertionError, match=r"nothing but zeros: body.1.weight"):
        assert_gradients(dead, X, Y, loss=nn.functional.cross_entropy)
    wild = Changed(lambda self, z: (z * 0).sqrt())
    with pytest.raises(AssertionError, match=r"NaN or infinity"):
        assert_gradients(wild, X, loss=lambda z: z.sum())


def test_a_tensor_that_is_no_buffer_is_lost_and_told() -> None:
    class Scaled(Net):
        def __init__(self, *, is_kept: bool) -> None:
            super().__init__()
            if is_kept:
                self.register_buffer("scale", torch.tensor(3.0))
            else:
                self.scale = torch.tensor(3.0)

        def forward(self, x: Any) -> Any:
            return super().forward(x) * self.scale

    assert_roundtrip(Scaled(is_kept=True), X)
    with pytest.raises(AssertionError, match=r"neither parameter nor buffer"):
        assert_roundtrip(Scaled(is_kept=False), X)


def test_weights_are_loaded_into_a_new_model() -> None:
    assert_roundtrip(Net(), X, make=Net)


def test_arrays_go_to_where_the_model_is() -> None:
    assert_forward(Net(), np.ascontiguousarray(IMAGES))
