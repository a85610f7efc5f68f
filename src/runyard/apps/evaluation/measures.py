"""The numbers that stand at the top: how often a model is right, how sure that is, and where it errs."""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runyard.tracking.predictions import Detection, Predictions
from runyard.tracking.predictions.boxes import partners

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
        accuracy: part of right answers, and `accuracy_interval` around it (95 %, Wilson 1927); None for values. An
            image is right if all is found in it and nothing else.
        classes: of a detection they count boxes, not images.
        confusion: counts, shape (classes, classes): rows are targets, columns predictions. Of a detection there is one
            more row and column, for nothing: boxes that are not there, and those that were missed.
        recall, precision, mean_precision: of boxes, all classes together; the last is the mean over classes of the area
            under precision over recall, at an overlap of one half (mAP). None for other tasks.
        mean_error, root_mean_square, r2: of values; None for classes.
        median_ms: milliseconds a sample, None if not measured.
    """

    count: int
    errors: int = 0
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    classes: tuple[ClassMeasures, ...] = ()
    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    recall: float | None = None
    precision: float | None = None
    mean_precision: float | None = None
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
    if predictions.has_values:
        return _of_values(predictions, median_ms)
    errors = int((~predictions.is_right).sum())
    matrix = confusion(predictions)
    boxes = _of_boxes(predictions.detection, matrix) if predictions.detection is not None else {}
    return Measures(
        count=n,
        errors=errors,
        accuracy=1 - errors / n,
        accuracy_interval=interval(n - errors, n),
        classes=tuple(_class(name, number, matrix) for number, name in enumerate(predictions.labels)),
        confusion=matrix,
        median_ms=median_ms,
        **boxes,
    )


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """Counts, shape (classes, classes), of a detection one more: see `Measures.confusion`."""
    n = len(predictions.labels)
    if predictions.detection is not None:
        return _confused_boxes(predictions.detection, n)
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
        digest.update(f"{predictions.ids[number]}\0{predictions.truth_text(number)}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:12]


def average_precision(detection: Detection, label: int) -> float:
    """The area under precision over recall of one class, not interpolated, at an overlap of one half; NaN for none.

    All boxes that were kept count, the weak ones, too: it says how well the scores sort them.
    """
    found = detection.found
    n_wanted = int((detection.wanted.labels == label).sum())
    if not n_wanted:
        return math.nan
    mine = np.flatnonzero(found.labels == label)
    mine = mine[np.argsort(-found.scores[mine], kind="stable")]
    is_hit = partners(detection.wanted, found)[mine] >= 0
    precision = np.cumsum(is_hit) / np.arange(1, len(mine) + 1)
    return float(precision[is_hit].sum() / n_wanted)


def _confused_boxes(detection: Detection, n: int) -> NDArray[np.int64]:
    matrix: NDArray[np.int64] = np.zeros((n + 1, n + 1), np.int64)
    for mistakes in detection.mistakes:
        for truth, answer in mistakes:
            matrix[truth, answer] += 1  # -1, nothing, is the last place
    for label, count in enumerate(np.bincount(detection.wanted.labels, minlength=n)):
        matrix[label, label] = count - matrix[label].sum()
    return matrix


def _of_boxes(detection: Detection, matrix: NDArray[np.int64]) -> dict[str, float]:
    hits = int(np.diag(matrix).sum())
    precisions = [average_precision(detection, label) for label in range(len(matrix) - 1)]
    known = [each for each in precisions if not math.isnan(each)]
    return {
        "recall": hits / max(len(detection.wanted), 1),
        "precision": hits / max(len(detection.answers), 1),
        "mean_precision": sum(known) / len(known) if known else 0.0,
    }


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
