"""Checks of data: batches, splits, and tiny sets to check everything else with."""

import hashlib
import sys
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from runyard.contracts import Array, Contract, Table
from runyard.contracts.conversion import as_array
from runyard.testing.values import listed, plural

TinyKind = Literal["images", "table", "series"]
TinySet = tuple[NDArray[np.float32], NDArray[np.int64]]

SAMPLES = "tests/data"
_MARKER = "runyard.toml"


def assert_batch(
    batch: Any,
    contract: Array | Table | Contract | None = None,
    *,
    shape: tuple[int | str, ...] | None = None,
    dtype: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    values: Collection[Any] | None = None,
    finite: bool = True,
) -> None:
    """A batch is what the model expects.

    Args:
        batch: an array, a tensor, a frame; for a whole contract also a mapping or a tuple of them.
        contract: what is declared of it. Or the same in words, as `runyard.contracts.Array` takes them:
        shape: sizes, or names for those that may vary: ("b", 3, 224, 224).
        dtype: "float32" and the like, or a kind: "float", "int", "number", "text", "bool".
        range: smallest and largest value.
        values: all values that may occur.
        finite: neither NaN nor infinity may occur.
    """
    if contract is None:
        contract = Array(shape, dtype=dtype, range=range, values=values, finite=finite, missing=not finite)
    elif any(each is not None for each in (shape, dtype, range, values)):
        raise TypeError("assert_batch takes a contract, or what it declares; not both.")
    found = contract.problems(batch) if isinstance(contract, Contract) else contract.problems(batch, place="batch")
    if found:
        raise AssertionError("\n".join(["batch: it is not what is declared.", *(f"  {each}" for each in found)]))


def assert_disjoint(
    first: Any,
    second: Any,
    *,
    by: str | Callable[[Any], Hashable] | None = None,
    names: tuple[str, str] = ("the first", "the second"),
) -> None:
    """No sample is in both of two sets.

    Args:
        first, second: arrays or tensors (samples along the first axis), frames, lists of samples, data sets, or
            loaders, which are read to their end; of batches that are tuples the first part counts.
        by: what makes two samples the same: an attribute, key or column such as "path" or "patient", or a function of a
            sample. None: their whole content.
        names: what the sets are called in the message.
    """
    left, right = list(_keys(first, by)), list(_keys(second, by))
    if not left or not right:
        empty = names[0] if not left else names[1]
        raise AssertionError(f"splits: {empty} is empty, so nothing was compared. A loader that was read already?")
    places = {key: place for place, key in reversed(list(enumerate(left)))}
    both = [(place, places[key]) for place, key in enumerate(right) if key in places]
    if both:
        shown = [f"#{here} of {names[1]} is #{there} of {names[0]}" for here, there in both]
        if by is not None:
            shown = [f"{right[here]!r}" for here, _ in both]
        what = f"the same {by}" if isinstance(by, str) else "the same content" if by is None else "the same key"
        raise AssertionError(
            f"splits: {plural(len(both), 'sample')} of {len(right):,} in {names[1]} "
            f"{'has' if len(both) == 1 else 'have'} {what} as one in {names[0]}: {listed(shown)}. Usual causes: "
            "duplicates in the data, split by sample instead of by patient, day or part (pass by=…), the split is "
            "drawn anew with another seed, augmented copies made before the split."
        )


@overload
def tiny_data(kind: None = None) -> Path: ...


@overload
def tiny_data(
    kind: TinyKind, *, n: int = 32, classes: int = 2, shape: tuple[int, ...] | None = None, seed: int = 0
) -> TinySet: ...


def tiny_data(
    kind: TinyKind | None = None,
    *,
    n: int = 32,
    classes: int = 2,
    shape: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Path | TinySet:
    """Data to test with, small enough for every commit.

    Without a kind: the folder `tests/data` of the project that the current folder, or the calling file, lies in.
    With one: a made-up set that can be learnt, always the same for the same arguments.

    Args:
        kind: "images" of shape (8, 8), "table" rows of 4 numbers, "series" of 16 steps; float32 in 0 to 1.
        n: how many samples; the classes take turns.
        shape: of one sample, in place of the usual one.

    Returns:
        the folder; or samples of shape (n, *shape) and labels of shape (n,), int64 from 0 to classes - 1.

    Raises:
        FileNotFoundError: no project is around, or it has no tests/data.
    """
    if kind is None:
        return _samples(sys._getframe(1).f_code.co_filename)
    usual: dict[str, tuple[int, ...]] = {"images": (8, 8), "table": (4,), "series": (16,)}
    size = shape or usual[kind]
    generator = np.random.default_rng(seed)
    centres = generator.random((classes, *size))
    if kind == "series":  # each class has a wave of its own
        steps = np.linspace(0, 2 * np.pi, size[0]).reshape(-1, *[1] * (len(size) - 1))
        centres = np.stack([0.5 + 0.4 * np.sin((c + 1) * steps) * np.ones(size) for c in np.arange(classes)])
    labels = np.arange(n) % classes
    noise = generator.normal(0.0, 0.05, (n, *size))
    return np.clip(centres[labels] + noise, 0, 1).astype(np.float32), labels.astype(np.int64)


def _samples(caller: str) -> Path:
    for start in (Path.cwd(), Path(caller).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / _MARKER).is_file():
                if (folder / SAMPLES).is_dir():
                    return folder / SAMPLES
                raise FileNotFoundError(f"{folder} has no folder {SAMPLES}. Put some small, real samples there.")
    raise FileNotFoundError(f"{Path.cwd()} lies in no project: there is no {_MARKER} in it or above.")


def _keys(items: Any, by: str | Callable[[Any], Hashable] | None) -> Iterator[Hashable]:
    if callable(by):
        for item in items:
            yield by(item)
    elif by is not None:
        yield from _attribute(items, by)
    else:
        for sample in _samples_of(items):
            yield _digest(sample)


def _attribute(items: Any, name: str) -> Iterable[Hashable]:
    """The attribute of every sample: a column or list of the whole set, else of each item, else of the loader's set."""
    if hasattr(items, "columns") and name in items.columns:
        return [_plain(each) for each in as_array(items[name]).array]
    if hasattr(items, name):
        return [_plain(each) for each in getattr(items, name)]
    if hasattr(items, "dataset"):
        return _attribute(items.dataset, name)
    return [_plain(_of_item(item, name, place)) for place, item in enumerate(_each(items))]


def _of_item(item: Any, name: str, place: int) -> Any:
    try:
        return item[name] if hasattr(item, "keys") else getattr(item, name)
    except (KeyError, AttributeError):
        raise AssertionError(
            f"splits: sample #{place} has no '{name}', neither as an attribute nor as a key, and neither has its set. "
            "Pass by=function, which gets a sample."
        ) from None


def _plain(value: Any) -> Hashable:
    found = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    return found if isinstance(found, Hashable) else str(found)


def _each(items: Any) -> Iterator[Any]:
    if hasattr(items, "__len__") and hasattr(items, "__getitem__") and not hasattr(items, "__iter__"):
        yield from (items[place] for place in range(len(items)))  # a data set of PyTorch ends by its length
    else:
        yield from items


def _samples_of(items: Any) -> Iterator[Any]:
    if hasattr(items, "columns") and hasattr(items, "to_numpy"):
        items = items.to_numpy()
    if hasattr(items, "shape"):
        yield from items
        return
    is_loader = hasattr(items, "dataset") or hasattr(items, "batch_size")
    for item in _each(items):
        if is_loader:
            yield from _of_batch(item)
        else:
            yield _inputs(item)


def _of_batch(batch: Any) -> Iterator[Any]:
    if isinstance(batch, Mapping):
        for place in np.arange(len(next(iter(batch.values())))):
            yield {name: values[place] for name, values in batch.items()}
    else:
        yield from _inputs(batch)


def _inputs(item: Any) -> Any:
    """The inputs of a sample or batch that has labels beside them."""
    return item[0] if isinstance(item, tuple | list) and item and not isinstance(item[0], int | float) else item


def _digest(sample: Any) -> Hashable:
    if isinstance(sample, Mapping):
        return tuple((name, _digest(sample[name])) for name in sorted(sample))
    array = np.ascontiguousarray(as_array(sample).array)
    if array.dtype.kind == "O":
        return repr(array.tolist())
    return hashlib.sha256(f"{array.shape}{array.dtype}".encode() + array.tobytes()).digest()
