"""The numbers that stand at the top: how often a model is right, how sure that is, and where it errs."""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runyard.tracking.predictions import Predictions

_Z = 1.959964  # of 95 %


@dataclass(frozen=True, kw_only=True)
class ClassMeasures:
    """One class: how many there are, which part is found (recall), which part of the answers is right (precision).

    Both are NaN where there is nothing to divide by.
    """

    label: str
    count: int
    recall: float
    precision: float


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What an evaluation set says of a model.

    Attributes:
        accuracy: part of right answers, and `accuracy_interval` around it (95 %, Wilson 1927); None for values.
        confusion: counts, shape (classes, classes): rows are targets, columns predictions.
        mean_error, root_mean_square, r2: of values; None for classes.
        median_ms: milliseconds a sample, None if not measured.
    """

    count: int
    errors: int = 0
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    classes: tuple[ClassMeasures, ...] = ()
    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    mean_error: float | None = None
    root_mean_square: float | None = None
    r2: float | None = None
    median_ms: float | None = None


def measure(predictions: Predictions) -> Measures:
    """All measures at once; of nothing, if there is nothing."""
    n = len(predictions)
    median_ms = float(np.median(predictions.ms)) if predictions.ms is not None and n else None
    if not n:
        return Measures(count=0)
    if not predictions.is_classification:
        return _of_values(predictions, median_ms)
    errors = int((~predictions.is_right).sum())
    matrix = confusion(predictions)
    return Measures(
        count=n,
        errors=errors,
        accuracy=1 - errors / n,
        accuracy_interval=interval(n - errors, n),
        classes=tuple(_class(name, number, matrix) for number, name in enumerate(predictions.labels)),
        confusion=matrix,
        median_ms=median_ms,
    )


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """Counts, shape (classes, classes): rows are targets, columns predictions."""
    n = len(predictions.labels)
    matrix: NDArray[np.int64] = np.zeros((n, n), np.int64)
    np.add.at(matrix, (predictions.targets, predictions.predictions), 1)
    return matrix


def interval(count: int, n: int) -> tuple[float, float]:
    """Where the true share lies, with 95 % confidence, if `count` of `n` were seen; (0, 1) for none.

    Source: Wilson (1927), which stays between 0 and 1 for small numbers, too.
    """
    if not n:
        return 0.0, 1.0
    share, z2 = count / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def data_version(predictions: Predictions) -> str:
    """Twelve hex digits that change when a sample or a label of the evaluation set does; its order is free."""
    digest = hashlib.sha256()
    for number in sorted(range(len(predictions)), key=lambda number: predictions.ids[number]):
        digest.update(f"{predictions.ids[number]}\0{predictions.target_text(number)}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:12]


def _of_values(predictions: Predictions, median_ms: float | None) -> Measures:
    gap = predictions.predictions - predictions.targets
    spread = float(((predictions.targets - predictions.targets.mean()) ** 2).sum())
    return Measures(
        count=len(predictions),
        mean_error=float(np.abs(gap).mean()),
        root_mean_square=float(np.sqrt((gap**2).mean())),
        r2=1 - float((gap**2).sum()) / spread if spread else None,
        median_ms=median_ms,
    )


def _class(label: str, number: int, matrix: NDArray[np.int64]) -> ClassMeasures:
    right, count, said = int(matrix[number, number]), int(matrix[number].sum()), int(matrix[:, number].sum())
    return ClassMeasures(
        label=label,
        count=count,
        recall=right / count if count else math.nan,
        precision=right / said if said else math.nan,
    )
