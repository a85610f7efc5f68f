"""Confusion matrices: JSON {"labels": [n], "matrix": [n][n]}; rows are targets, columns predictions."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runyard.errors import UsageError

MAX_CLASSES = 1_000


def encode_matrix(matrix: Any, *, labels: Sequence[Any] | None = None) -> tuple[bytes, dict[str, Any]]:
    """A matrix of counts (or shares) of shape (classes, classes); row: target, column: prediction.

    Raises:
        UsageError: it is not square, or the labels are not as many as its rows.
    """
    array = np.asarray(matrix.detach().cpu() if hasattr(matrix, "detach") else matrix)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.dtype.kind not in "biuf":
        raise UsageError(f"A confusion matrix must be square and hold numbers; this has the shape {array.shape}.")
    if not 1 <= len(array) <= MAX_CLASSES:
        raise UsageError(f"A confusion matrix of {len(array):,} classes cannot be shown; 1 to {MAX_CLASSES:,} can.")
    names = [str(label) for label in (range(len(array)) if labels is None else labels)]
    if len(names) != len(array):
        raise UsageError(f"{len(array)} classes need {len(array)} labels, not {len(names)}.")
    return msgspec.json.encode({"labels": names, "matrix": array.tolist()}), {"classes": len(names)}


def encode_predictions(
    targets: Any, predictions: Any, *, labels: Sequence[Any] | None = None
) -> tuple[bytes, dict[str, Any]]:
    """Count targets against predictions: class numbers (then `labels` name class 0, 1, …) or class names.

    Raises:
        UsageError: they are not equally long, or a class has no label.
    """
    truth, guess = _classes(targets), _classes(predictions)
    if truth.shape != guess.shape or not truth.size:
        raise UsageError(f"{truth.size} targets cannot be compared with {guess.size} predictions.")
    if truth.dtype.kind in "biu" and guess.dtype.kind in "biu":
        classes: list[Any] = list(range(max(int(truth.max()), int(guess.max()), len(labels or ()) - 1) + 1))
        if min(int(truth.min()), int(guess.min())) < 0 or (labels is not None and len(classes) > len(labels)):
            classes = sorted(set(truth.tolist()) | set(guess.tolist()))
    else:
        classes = list(labels) if labels is not None else sorted(set(truth.tolist()) | set(guess.tolist()))
    if len(classes) > MAX_CLASSES:
        raise UsageError(f"A confusion matrix of {len(classes):,} classes cannot be shown; {MAX_CLASSES:,} can.")
    numbers = {label: number for number, label in enumerate(classes)}
    matrix: NDArray[np.int64] = np.zeros((len(classes), len(classes)), np.int64)
    try:
        np.add.at(
            matrix,
            ([numbers[label] for label in truth.tolist()], [numbers[label] for label in guess.tolist()]),
            1,
        )
    except KeyError as missing:
        raise UsageError(f"The class {missing.args[0]!r} is not among the labels {list(labels or ())}.") from None
    return encode_matrix(matrix, labels=labels if labels is not None else classes)


def _classes(values: Any) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values).ravel()
