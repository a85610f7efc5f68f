"""Data of other libraries as NumPy arrays, without importing any of them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]


class Converted(NamedTuple):
    """A value as an array, and the name of its type; `dtype` is empty for plain Python numbers, which have none."""

    array: AnyArray
    dtype: str


def as_array(value: Any) -> Converted:  # Any: arrays, tensors, columns, images, nested lists, numbers
    """Convert whatever holds numbers or texts.

    Raises:
        ValueError: it cannot be laid out as one array; the message says why.
    """
    if isinstance(value, np.ndarray | np.generic):
        array = _numbers_if_possible(np.asarray(value))
        return Converted(array, array.dtype.name)
    if hasattr(value, "detach"):  # PyTorch
        return Converted(_of_tensor(value), str(value.dtype).removeprefix("torch."))
    if hasattr(value, "to_numpy"):  # a column of pandas or polars
        array = _numbers_if_possible(np.asarray(value.to_numpy()))
        return Converted(array, array.dtype.name)
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return Converted(array, array.dtype.name)
    if isinstance(value, list | tuple) and value and hasattr(value[0], "shape"):
        return _stacked(value)
    try:
        return Converted(_numbers_if_possible(np.asarray(value)), "")
    except ValueError:
        raise ValueError(f"is a list whose parts differ in length{_lengths(value)}.") from None


def name_of(array: AnyArray) -> str:
    """The name of a type, as contracts write it: texts of any length are "text"."""
    return "text" if array.dtype.kind in "UST" else array.dtype.name


def _numbers_if_possible(array: AnyArray) -> AnyArray:
    """Numbers with some missing are objects to NumPy: make them numbers, None becomes NaN."""
    is_mixed = array.dtype.kind == "O" and array.size > 0
    if is_mixed and all(each is None or type(each) in (int, float) for each in array.flat):
        return array.astype(float)
    return array


def _of_tensor(tensor: Any) -> AnyArray:
    whole = tensor.detach().cpu()
    if str(whole.dtype) == "torch.bfloat16":  # NumPy has none
        whole = whole.float()
    return np.asarray(whole.numpy())


def _stacked(values: "list[Any] | tuple[Any, ...]") -> Converted:
    found = [as_array(value) for value in values]
    shapes = sorted({each.array.shape for each in found}, key=str)
    if len(shapes) > 1:
        raise ValueError(f"holds samples of different shapes: {', '.join(str(shape) for shape in shapes[:4])}.")
    return Converted(np.stack([each.array for each in found]), found[0].dtype)


def _lengths(value: Any) -> str:
    lengths = sorted({len(part) for part in value if hasattr(part, "__len__")})
    return f" ({', '.join(str(length) for length in lengths[:4])})" if lengths else ""
