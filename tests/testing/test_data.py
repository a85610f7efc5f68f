"""Checks of batches and splits pass on what is right and say what is wrong."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from runyard.contracts import Array, Contract
from runyard.testing import assert_batch, assert_disjoint, tiny_data


def test_a_batch_as_declared_passes() -> None:
    x, y = tiny_data("images", classes=3)

    assert_batch(x, shape=("b", 8, 8), dtype="float32", range=(0, 1))
    assert_batch(y, Array(("b",), dtype="int64", values=range(3)))
    assert_batch((x, y), Contract(x=Array(("b", 8, 8)), y=Array(("b",))))


def test_an_unscaled_batch_is_told() -> None:
    x, _ = tiny_data("images")

    with pytest.raises(
        AssertionError, match=r"batch: it is not what is declared\.\n  batch goes from .* divided by 255"
    ):
        assert_batch((x * 255).astype(np.float32), shape=("b", 8, 8), dtype="float32", range=(0, 1))


def test_nan_is_told_unless_it_is_allowed() -> None:
    broken = np.array([1.0, np.nan])

    with pytest.raises(AssertionError, match="1 missing value"):
        assert_batch(broken)
    assert_batch(broken, finite=False)


def test_contract_and_words_exclude_each_other() -> None:
    with pytest.raises(TypeError, match="not both"):
        assert_batch(np.zeros(3), Array(), dtype="float32")


def test_disjoint_splits_pass() -> None:
    x, _ = tiny_data("images")

    assert_disjoint(x[:20], x[20:])
    assert_disjoint(["a.png", "b.png"], ["c.png"])


def test_a_sample_on_both_sides_is_named() -> None:
    x, _ = tiny_data("images")
    leaked = np.concatenate([x[20:], x[3:4]])

    with pytest.raises(AssertionError) as told:
        assert_disjoint(x[:20], leaked, names=("train", "val"))

    assert str(told.value).startswith(
        "splits: 1 sample of 13 in val has the same content as one in train: #12 of val is #3 of train. Usual "
        "causes: dup"
    )


def test_a_patient_on_both_sides_is_named() -> None:
    train = [{"patient": name, "x": n} for n, name in enumerate("aabb")]
    val = [{"patient": name, "x": 10 + n} for n, name in enumerate("bcc")]

    assert_disjoint(train, val)
    with pytest.raises(AssertionError, match="the same patient as one in the first: 'b'"):
        assert_disjoint(train, val, by="patient")
    with pytest.raises(AssertionError, match="the same key"):
        assert_disjoint(train, val, by=lambda sample: sample["patient"])


def test_attributes_of_the_set_behind_a_loader_are_found() -> None:
    def loader(paths: list[str]) -> Any:
        return SimpleNamespace(dataset=SimpleNamespace(path=paths), batch_size=2)

    assert_disjoint(loader(["a", "b"]), loader(["c"]), by="path")
    with pytest.raises(AssertionError, match="'b'"):
        assert_disjoint(loader(["a", "b"]), loader(["b"]), by="path")


def test_rows_of_frames_are_compared() -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [1, 2, 3], "x": [0.1, 0.2, 0.3]})

    assert_disjoint(frame[:2], frame[2:], by="id")
    with pytest.raises(AssertionError, match="same content"):
        assert_disjoint(frame, frame[2:])


def test_a_set_without_the_attribute_and_an_empty_one_are_told() -> None:
    with pytest.raises(AssertionError, match="sample #0 has no 'path'"):
        assert_disjoint([{"x": 1}], [{"x": 2}], by="path")
    with pytest.raises(AssertionError, match="the second is empty"):
        assert_disjoint([1, 2], [])


@pytest.mark.torch
def test_loaders_of_pytorch_are_read_batch_by_batch() -> None:
    torch: Any = pytest.importorskip("torch")
    x, y = (torch.from_numpy(each) for each in tiny_data("images"))

    def loader(places: Any) -> Any:
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[places], y[places]), batch_size=4)

    assert_disjoint(loader(range(20)), loader(range(20, 32)))
    with pytest.raises(AssertionError, match="2 samples of 14"):
        assert_disjoint(loader(range(20)), loader(range(18, 32)))


def test_made_up_sets_can_be_learnt_and_are_always_the_same() -> None:
    for kind, shape in (("images", (8, 8)), ("table", (4,)), ("series", (16,))):
        x, y = tiny_data(kind, n=20, classes=2)  # type: ignore[call-overload]  # the loop loses the literal
        again, _ = tiny_data(kind, n=20, classes=2)  # type: ignore[call-overload]  # as above

        assert x.shape == (20, *shape)
        assert np.array_equal(x, again)
        centres = np.stack([x[y == label].mean(axis=0) for label in (0, 1)])
        nearest = np.square(x[:, None] - centres).reshape(20, 2, -1).sum(axis=2).argmin(axis=1)
        assert (nearest == y).all()
    assert tiny_data("images", shape=(3, 5, 5))[0].shape == (32, 3, 5, 5)


def test_samples_of_the_project_around_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "src"
    inside.mkdir()
    monkeypatch.chdir(inside)
    with pytest.raises(FileNotFoundError, match="lies in no project"):
        tiny_data()
    (tmp_path / "runyard.toml").touch()
    with pytest.raises(FileNotFoundError, match="no folder tests/data"):
        tiny_data()
    (tmp_path / "tests" / "data").mkdir(parents=True)

    assert tiny_data() == tmp_path / "tests" / "data"
