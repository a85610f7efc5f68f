"""From what a training has in its hands (tensors, arrays, lists) to `Predictions`, checked."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.errors import UsageError
from runyard.tracking.media.image import pixels_of
from runyard.tracking.predictions import thumbnails
from runyard.tracking.predictions.boxes import Boxes
from runyard.tracking.predictions.detection import Detection
from runyard.tracking.predictions.predictions import Predictions, Task

_MOST_ID_CHARACTERS = 500
MAX_SAMPLES = 2_000_000
MAX_FEATURES = 60  # more than anybody reads beside an answer


def collect(
    targets: Any,
    predictions: Any = None,
    *,
    scores: Any = None,
    labels: Sequence[Any] | None = None,
    ids: Any = None,
    images: Any = None,
    paths: Sequence[Any] | None = None,
    ms: Any = None,
    times: Any = None,
    features: Mapping[str, Any] | None = None,
) -> Predictions:
    """Bring an evaluation into its form; `Run.log_predictions` says what each argument may be.

    Raises:
        UsageError: lengths differ, scores are no numbers, a class has no label, or ids repeat.
    """
    truth = _array(targets).ravel()
    if not 1 <= truth.size <= MAX_SAMPLES:
        raise UsageError(f"{truth.size:,} targets cannot be kept; 1 to {MAX_SAMPLES:,} can.")
    answers = None if predictions is None else _array(predictions).ravel()
    table = None if scores is None else _scores(scores, truth.size)
    if answers is None and table is None:
        raise UsageError("log_predictions needs predictions or scores beside the targets.")
    _check_lengths(truth.size, predictions=answers, ids=ids, images=images, paths=paths, times=times)
    texts = tuple(str(path) for path in paths) if paths is not None else ()
    if _is_regression(truth, answers, table, labels):
        assert answers is not None  # else there would be scores
        found = _regression(truth, answers, Task.REGRESSION if times is None else Task.FORECAST)
    elif times is not None:
        raise UsageError("times= belongs to forecasts of values; classes have none. Give them as ids=.")
    else:
        found = _classification(truth, answers, table, labels)
    found = replace(found, features=_features(features or {}, truth.size))
    return _completed(found, ids=times if ids is None else ids, images=images, paths=texts, ms=ms)


def collect_boxes(
    targets: Sequence[Any],
    found: Sequence[Any],
    *,
    labels: Sequence[Any],
    ids: Any = None,
    images: Any = None,
    paths: Sequence[Any] | None = None,
    ms: Any = None,
) -> Predictions:
    """Bring an evaluation of images with boxes into its form; `Run.log_detections` says what each argument may be.

    Raises:
        UsageError: lengths differ, a box is none, its class has no label, or ids repeat.
    """
    n = len(targets)
    if not 1 <= n <= MAX_SAMPLES:
        raise UsageError(f"The boxes of {n:,} images cannot be kept; those of 1 to {MAX_SAMPLES:,} can.")
    _check_lengths(n, found=found, ids=ids, images=images, paths=paths)
    names = tuple(str(label) for label in labels)
    wanted = _boxes(targets, names, columns=5)
    detection = Detection(wanted=wanted, found=_boxes(found, names, columns=6), sizes=_sizes(images, n))
    kept = Predictions(
        task=Task.DETECTION,
        labels=names,
        ids=(),
        targets=wanted.counts,
        predictions=detection.answers.counts,
        detection=detection,
    )
    texts = tuple(str(path) for path in paths) if paths is not None else ()
    return _completed(kept, ids=ids, images=images, paths=texts, ms=ms)


def _boxes(rows: Sequence[Any], names: tuple[str, ...], *, columns: int) -> Boxes:
    """Class number, four corners and, in the sixth column, a score."""
    parts = [np.asarray(_array(each), np.float64) for each in rows]
    parts = [each if each.size else np.zeros((0, columns)) for each in parts]
    for image, part in enumerate(parts):
        if part.ndim != 2 or part.shape[1] != columns or not np.isfinite(part).all():
            what = "class number, left, top, right, bottom" + ", score" * (columns == 6)
            raise UsageError(f"The boxes of image {image} have the shape {part.shape}; ({what}) are wanted of each.")
    table = np.concatenate(parts)
    numbers = table[:, 0].astype(np.int64)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(names)):
        raise UsageError(
            f"Boxes are of the classes {numbers.min()} to {numbers.max()}, but there are {len(names)} labels: "
            f"{_few(names)}."
        )
    return Boxes(
        counts=np.array([len(part) for part in parts], np.int64),
        labels=numbers,
        corners=table[:, 1:5].astype(np.float32),
        scores=table[:, 5].astype(np.float32) if columns == 6 else np.ones(len(table), np.float32),
    )


def _sizes(images: Any, n: int) -> NDArray[np.int64]:
    """Width and height of each image; zeros where there are none."""
    if images is None:
        return np.zeros((n, 2), np.int64)
    shapes = [pixels_of(images[number]).shape for number in range(n)]
    return np.array([(shape[1], shape[0]) for shape in shapes], np.int64)


def _features(features: Mapping[str, Any], n: int) -> dict[str, NDArray[Any]]:
    if len(features) > MAX_FEATURES:
        raise UsageError(f"{len(features)} features are too many to look at; {MAX_FEATURES} can be kept.")
    found = {}
    for name, values in features.items():
        column = _array(values)
        if column.shape != (n,):
            raise UsageError(f"The feature '{name}' has the shape {column.shape}; there are {n:,} samples.")
        found[str(name)] = column if column.dtype.kind in "fiubU" else column.astype(str)
    return found


def _completed(found: Predictions, *, ids: Any, images: Any, paths: tuple[str, ...], ms: Any) -> Predictions:
    n = len(found.targets)
    numbers = thumbnails.chosen(found.wrongness)
    return replace(
        found,
        ids=_ids(ids, images, paths, n, found.features),
        paths=paths,
        ms=None if ms is None else np.broadcast_to(np.asarray(_array(ms), np.float64), (n,)).copy(),
        thumbnails=thumbnails.make(numbers, images=images, paths=paths),
    )


def _is_regression(truth: NDArray[Any], answers: Any, table: Any, labels: Any) -> bool:
    return table is None and labels is None and (truth.dtype.kind == "f" or answers.dtype.kind == "f")


def _regression(truth: NDArray[Any], answers: NDArray[Any], task: Task) -> Predictions:
    values = [np.asarray(array, np.float64) for array in (truth, answers)]
    if not all(np.isfinite(array).all() for array in values):
        raise UsageError("Some targets or predictions are NaN or infinite, so they cannot be compared.")
    return Predictions(task=task, labels=(), ids=(), targets=values[0], predictions=values[1])


def _classification(
    truth: NDArray[Any], answers: NDArray[Any] | None, table: NDArray[np.float32] | None, labels: Any
) -> Predictions:
    names, is_numbered = _names(truth, answers, table, labels)
    if answers is None:
        assert table is not None  # one of the two is there
        numbers = (table[:, 0] >= 0.5).astype(np.int64) if table.shape[1] == 1 else table.argmax(axis=1)
    else:
        numbers = _numbers(answers, names, is_numbered)
    if table is not None and table.shape[1] not in (1, len(names)):
        raise UsageError(f"There are scores for {table.shape[1]} classes, but {len(names)} labels: {_few(names)}.")
    if table is not None and table.shape[1] == 1 and len(names) != 2:
        raise UsageError(f"One score a sample tells two classes apart, but there are {len(names)}: {_few(names)}.")
    return Predictions(
        task=Task.CLASSIFICATION,
        labels=names,
        ids=(),
        targets=_numbers(truth, names, is_numbered),
        predictions=numbers.astype(np.int64),
        scores=table,
    )


def _names(truth: NDArray[Any], answers: Any, table: Any, labels: Any) -> tuple[tuple[str, ...], bool]:
    """The names of the classes, and whether targets and answers are their numbers."""
    is_numbered = truth.dtype.kind in "biu" and (answers is None or answers.dtype.kind in "biu")
    if labels is not None:
        return tuple(str(label) for label in labels), is_numbered
    if not is_numbered:
        seen = {str(value) for array in (truth, answers) if array is not None for value in array.tolist()}
        return tuple(sorted(seen)), False
    n = max(int(array.max()) for array in (truth, answers) if array is not None) + 1
    if table is not None:
        n = max(n, 2 if table.shape[1] == 1 else table.shape[1])
    return tuple(str(number) for number in range(n)), True


def _numbers(values: NDArray[Any], names: tuple[str, ...], is_numbered: bool) -> NDArray[np.int64]:
    if is_numbered:
        numbers = values.astype(np.int64)
        if int(numbers.min()) < 0 or int(numbers.max()) >= len(names):
            raise UsageError(
                f"Classes reach from {numbers.min()} to {numbers.max()}, but there are {len(names)} labels: "
                f"{_few(names)}."
            )
        return numbers
    places = {name: number for number, name in enumerate(names)}
    try:
        return np.array([places[str(value)] for value in values.tolist()], np.int64)
    except KeyError as missing:
        raise UsageError(f"The class {missing.args[0]!r} is not among the labels {_few(names)}.") from None


def _scores(scores: Any, n: int) -> NDArray[np.float32]:
    table = _array(scores)
    if table.dtype.kind not in "biuf" or table.ndim not in (1, 2) or len(table) != n or not table.size:
        raise UsageError(f"Scores must be numbers of shape ({n}, classes) or ({n},), not {table.dtype} {table.shape}.")
    if not np.isfinite(table).all():
        raise UsageError("Some scores are NaN or infinite, so they cannot be compared with a threshold.")
    return np.asarray(table.reshape(n, -1), np.float32)


def _ids(
    ids: Any, images: Any, paths: tuple[str, ...], n: int, features: Mapping[str, NDArray[Any]]
) -> tuple[str, ...]:
    """Those that were given; else the paths; else what images or features hold, so that other runs find the same."""
    if ids is not None:
        names = [str(value)[:_MOST_ID_CHARACTERS] for value in _listed(ids)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UsageError(f"Ids must differ, but {twice[0]!r} stands there more than once.")
        return tuple(names)
    if paths and len(set(paths)) == n and all(paths):
        return paths
    if images is not None:
        return tuple(_numbered([_content_id(images[number]) for number in range(n)]))
    if features:
        rows = zip(*(values.tolist() for values in features.values()), strict=True)
        return tuple(_numbered([hashlib.sha256(repr(row).encode()).hexdigest()[:10] for row in rows]))
    return tuple(str(number) for number in range(n))


def _content_id(image: Any) -> str:
    pixels = np.ascontiguousarray(np.asarray(_array(image)))
    return hashlib.sha256(f"{pixels.dtype} {pixels.shape}".encode() + pixels.tobytes()).hexdigest()[:10]


def _numbered(names: list[str]) -> list[str]:
    """The second of two that are equal gets a number."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return result


def _check_lengths(n: int, **columns: Any) -> None:
    for name, column in columns.items():
        if column is not None and len(column) != n:
            raise UsageError(f"There are {n:,} targets, but {len(column):,} {name}.")


def _array(values: Any) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _listed(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
