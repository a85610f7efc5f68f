"""What checks have in common: outputs as arrays, tolerances by type, how a model of any kind is called."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from runyard.contracts.conversion import AnyArray, as_array


class Tolerance(NamedTuple):
    """Two values agree if they differ by at most `absolute + relative * |expected|`."""

    relative: float
    absolute: float


_BY_TYPE = {  # what one forward pass may differ by when its sums are added up in another order
    "float16": Tolerance(1e-2, 1e-3),
    "bfloat16": Tolerance(1e-2, 1e-3),
    "float32": Tolerance(1e-5, 1e-6),
    "float64": Tolerance(1e-7, 1e-9),
}


def tolerance_for(dtype: str, relative: float | None, absolute: float | None) -> Tolerance:
    """What the caller says, else what suits the type; whole numbers and texts must be equal."""
    usual = _BY_TYPE.get(dtype or "float64", Tolerance(0.0, 0.0))
    return Tolerance(usual.relative if relative is None else relative, usual.absolute if absolute is None else absolute)


def agree(found: AnyArray, expected: AnyArray, tolerance: Tolerance) -> AnyArray:
    """Element by element, whether values agree; NaN agrees with NaN."""
    if found.dtype.kind not in "fiubc" or expected.dtype.kind not in "fiubc":
        return np.asarray(found == expected)
    return np.isclose(found, expected, rtol=tolerance.relative, atol=tolerance.absolute, equal_nan=True)


def is_tensor(value: object) -> bool:
    """Whether it is a tensor of PyTorch; PyTorch is not imported for that."""
    return isinstance(value, sys.modules["torch"].Tensor) if "torch" in sys.modules else False


def is_module(model: object) -> bool:
    """Whether it is a module of PyTorch."""
    return isinstance(model, sys.modules["torch"].nn.Module) if "torch" in sys.modules else False


def is_estimator(model: object) -> bool:
    """Whether it is what scikit-learn calls an estimator."""
    return hasattr(model, "fit") and hasattr(model, "get_params")


class Output(NamedTuple):
    """What a model returned: arrays by name, "" if there is a single one; and the type of each."""

    arrays: dict[str, AnyArray]
    dtypes: dict[str, str]


def output_of(value: Any) -> Output:  # Any: whatever models return
    """Lay out what a model returned as arrays by name.

    Mappings keep their names, tuples get numbers, and a list of records (named tuples, dicts, objects) becomes one
    array for each field.

    Raises:
        ValueError: it is nothing that could be compared.
    """
    named = _named(value)
    found = {name: as_array(each) for name, each in named.items()}
    for name, each in found.items():
        if each.array.dtype.kind == "O":
            raise ValueError(f"{name or 'The output'} holds {type(value).__name__} that is no array.")
    return Output(
        {name: each.array for name, each in found.items()},
        {name: each.dtype or each.array.dtype.name for name, each in found.items()},
    )


def _named(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return {str(name): each for name, each in value.items()}
    if isinstance(value, tuple) and not hasattr(value, "_asdict"):
        return {str(place): each for place, each in enumerate(value)}
    if isinstance(value, list) and value and (fields := _fields(value[0])):
        return {name: [_fields(each)[name] for each in value] for name in fields}
    if isinstance(value, list) and len({getattr(each, "shape", None) for each in value}) > 1:
        return {str(place): each for place, each in enumerate(value)}  # a batch of inputs and labels
    return _fields(value) or {"": value}


def _fields(record: Any) -> Mapping[str, Any]:
    if isinstance(record, Mapping):
        return record
    if hasattr(record, "_asdict"):
        return dict(record._asdict())
    if hasattr(record, "model_dump"):
        return dict(record.model_dump())
    if hasattr(record, "__dataclass_fields__"):
        return {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {}


def call(model: Any, inputs: Any, *, method: str | None = None) -> Any:
    """What a model makes of inputs, as in production.

    A module of PyTorch is called in evaluation mode without gradients, arrays are brought to its device; an estimator
    by `predict_proba`, `predict` or `transform`; anything else is called.
    """
    if is_module(model):
        torch = sys.modules["torch"]
        with in_mode(model, is_training=False), torch.inference_mode():
            return getattr(model, method)(on_device(model, inputs)) if method else model(on_device(model, inputs))
    if is_estimator(model) or method:
        names = [method] if method else ["predict_proba", "predict", "transform"]
        name = next((name for name in names if hasattr(model, name)), None)
        if name is None:
            raise TypeError(f"{type(model).__name__} has none of {', '.join(names)}.")
        return getattr(model, name)(inputs)
    return model(inputs)


@contextmanager
def in_mode(model: Any, *, is_training: bool) -> Iterator[None]:
    """Training or evaluation mode inside the block; afterwards every part of the model is as it was."""
    before = [(part, part.training) for part in model.modules()]
    model.train(is_training)
    try:
        yield
    finally:
        for part, was_training in before:
            part.training = was_training


def on_device(model: Any, inputs: Any) -> Any:
    """Inputs as a tensor where the model is."""
    torch = sys.modules["torch"]
    if isinstance(inputs, np.ndarray):
        inputs = torch.from_numpy(inputs)
    first = next(iter(model.parameters()), None)
    return inputs.to(first.device) if is_tensor(inputs) and first is not None else inputs


def rows(values: Any, start: int, end: int) -> Any:
    """Some samples of inputs, whatever holds them."""
    return values.iloc[start:end] if hasattr(values, "iloc") else values[start:end]


def backwards(values: Any) -> Any:
    """Samples in reverse order."""
    if hasattr(values, "iloc"):
        return values.iloc[::-1]
    return values.flip(0) if is_tensor(values) else values[::-1]


def number(value: float) -> str:
    """A number in a message."""
    return f"{value:.4g}"


def listed(items: Sequence[object], most: int = 5) -> str:
    """The first few, and that there are more."""
    return ", ".join(str(item) for item in items[:most]) + (", …" if len(items) > most else "")


def plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"


Predict = Callable[[Any], Any]  # Any: inputs and outputs are of the project's own making
