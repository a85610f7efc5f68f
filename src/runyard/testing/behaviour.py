"""Checks of behaviour: what must not matter, what must matter in one direction, and cases that must be right."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from runyard.contracts.conversion import AnyArray, as_array
from runyard.testing.values import Predict, agree, call, is_estimator, listed, number, output_of, tolerance_for

Change = Callable[[Any], Any]  # of one sample


def assert_invariant(
    predict: Predict | Any,
    inputs: Any,
    change: Change,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    at_least: float = 1.0,
    what: str = "the change",
) -> None:
    """A change that means nothing changes nothing: a flip, a little light, another unit.

    Args:
        predict: a function of inputs, a module of PyTorch, or an estimator (called by `predict`).
        inputs: samples along the first axis.
        change: of one sample.
        rtol, atol: tolerance for numbers; labels must be equal.
        at_least: the part of the samples that must be unaffected, 0 to 1.
        what: what the change is called in the message: "5 % more light".
    """
    before, after = _twice(predict, inputs, change)
    same = np.ones(_length(before), bool)
    for name, array in before.items():
        tolerance = tolerance_for("", rtol, atol)
        same &= agree(after[name], array, tolerance).reshape(len(array), -1).all(axis=1)
    if same.mean() < at_least:
        moved = np.flatnonzero(~same)
        shown = [f"#{place}: {_told(before, place)} → {_told(after, place)}" for place in moved[:3]]
        raise AssertionError(
            f"invariance: {what} changes {len(moved):,} of {len(same):,} predictions ({listed(shown)}); at least "
            f"{at_least:.0%} must stay. Does the training see such changes (augmentation), and is the change "
            "as harmless as it is meant to be?"
        )


def assert_direction(
    score: Predict | Any,
    inputs: Any,
    change: Change,
    *,
    goes: Literal["up", "down"],
    strictly: bool = False,
    atol: float = 1e-9,
    at_least: float = 1.0,
    what: str = "the change",
) -> None:
    """A change moves a score in one direction: more scratches, no lower a probability of a defect.

    Args:
        score: gives one number a sample; else as `predict` of `assert_invariant`.
        goes: "up" also allows what stays, unless `strictly`.
        atol: a step the wrong way that is not counted.
        at_least: the part of the samples that must follow, 0 to 1.
    """
    before, after = (_scores(values) for values in _twice(score, inputs, change))
    gain = (after - before) * (1 if goes == "up" else -1)
    follows = gain > 0 if strictly else gain >= -atol
    if follows.mean() < at_least:
        wrong = np.flatnonzero(~follows)
        shown = [f"#{place}: {number(float(before[place]))} → {number(float(after[place]))}" for place in wrong[:3]]
        raise AssertionError(
            f"direction: {what} must move the score {goes}, but for {len(wrong):,} of {len(follows):,} samples it does "
            f"not ({listed(shown)}). Usual causes: the sign of the score, a feature that leaks the label, too few such "
            "samples in training."
        )


def assert_cases(
    predict: Predict | Any,
    cases: Mapping[str, tuple[Any, Any]],
    *,
    atol: float = 0.0,
    at_least: float = 1.0,
) -> None:
    """Named samples that anybody gets right are got right.

    Args:
        predict: of a list with all inputs, as in production; else as in `assert_invariant`.
        cases: name -> (input, expected). Expected is a value, or a function of the prediction that says whether it will
            do; of a prediction with several fields a mapping of those that matter.
        atol: tolerance for numbers.
        at_least: the part of the cases that must be right, 0 to 1.
    """
    if not cases:
        raise AssertionError("cases: there are none.")
    inputs = [given for given, _ in cases.values()]
    outputs = _predicted(predict, _stacked(inputs) if is_estimator(predict) else inputs)
    wrong = []
    for place, (name, (_, expected)) in enumerate(cases.items()):
        found = {key: array[place] for key, array in outputs.items()}
        if not _is_expected(found, expected, atol):
            wanted = "what it expects" if callable(expected) else repr(expected)
            wrong.append(f"{name}: {_told(outputs, place)}, not {wanted}")
    if 1 - len(wrong) / len(cases) < at_least:
        told = "\n  ".join(wrong[:10])
        raise AssertionError(f"cases: {len(wrong)} of {len(cases)} are wrong.\n  {told}")


def _twice(predict: Predict | Any, inputs: Any, change: Change) -> tuple[dict[str, AnyArray], dict[str, AnyArray]]:
    changed = [change(sample) for sample in inputs]
    before = _predicted(predict, inputs)
    after = _predicted(predict, changed if isinstance(inputs, list | tuple) else _stacked(changed))
    if _length(before) != len(changed):
        raise AssertionError(f"{len(changed):,} samples gave {_length(before):,} predictions; one a sample is wanted.")
    return before, after


def _predicted(predict: Predict | Any, inputs: Any) -> dict[str, AnyArray]:
    method = "predict" if is_estimator(predict) else None
    return output_of(call(predict, inputs, method=method)).arrays


def _stacked(samples: list[Any]) -> Any:
    if samples and hasattr(samples[0], "detach"):  # tensors stay tensors
        import torch

        return torch.stack(samples)
    return as_array(samples).array


def _length(outputs: Mapping[str, AnyArray]) -> int:
    return len(np.atleast_1d(next(iter(outputs.values()))))


def _scores(outputs: Mapping[str, AnyArray]) -> AnyArray:
    if len(outputs) != 1:
        raise TypeError(f"A score is one number a sample, not {listed(list(outputs))}.")
    array = np.asarray(next(iter(outputs.values())), dtype=float)
    flat = array.reshape(len(array), -1)
    if flat.shape[1] != 1:
        raise TypeError(f"A score is one number a sample, not an array of shape {array.shape}.")
    return flat[:, 0]


def _is_expected(found: Mapping[str, AnyArray], expected: Any, atol: float) -> bool:
    if callable(expected):
        return bool(expected(found[""] if set(found) == {""} else dict(found)))
    wanted = expected if isinstance(expected, Mapping) else {next(iter(found)): expected}
    tolerance = tolerance_for("", 0.0, atol)
    return all(
        key in found and bool(agree(found[key], np.asarray(value), tolerance).all()) for key, value in wanted.items()
    )


def _told(outputs: Mapping[str, AnyArray], place: int) -> str:
    parts = []
    for name, array in outputs.items():
        value = np.atleast_1d(array)[place]
        text = number(float(value)) if value.ndim == 0 and value.dtype.kind == "f" else str(value.tolist())[:60]
        parts.append(f"{name} {text}".strip())
    return ", ".join(parts)
