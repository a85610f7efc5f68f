"""The predictions of a run on an evaluation set, and the file they are kept in.

`predictions.npz` is an ordinary NumPy file without pickle: a JSON document `about` as bytes (format, task, class
names, ids, paths) and one array for each of the rest. Thumbnails and boxes lie behind each other in one array each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runyard.drafts import drafted
from runyard.errors import FormatUnknown, NotFound, ServiceError
from runyard.tracking.predictions.boxes import Boxes
from runyard.tracking.predictions.detection import Detection

FILE = "predictions.npz"
KIND = "predictions"  # of the artifact
FORMAT = 1
NOTHING = "–"  # where there is no box


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    FORECAST = "forecast"  # a regression whose samples follow each other in time
    DETECTION = "detection"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The document in the file."""

    format: int = FORMAT
    task: Task
    labels: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """One answer a sample; arrays of shape (n,) in the order of `ids`.

    Attributes:
        labels: names of the classes; empty for values.
        ids: of the samples, unique: the same sample has the same id in every run. Those of a forecast are its times.
        targets: class numbers (int64), or values (float64); of a detection how many boxes there are.
        predictions: what the model answered, of the same type.
        scores: shape (n, classes), or (n, 1) for the score of the second of two classes; None if there are none.
        paths: where the samples come from, empty texts where that is not known.
        ms: milliseconds each took, or None.
        thumbnails: small images (PNG, WebP or JPEG) by sample number; not every sample has one.
        features: columns that tell people what a sample is, by name; numbers or texts of shape (n,).
        detection: the boxes of a detection, else None.
    """

    task: Task
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    targets: NDArray[Any]
    predictions: NDArray[Any]
    scores: NDArray[np.float32] | None = None
    paths: tuple[str, ...] = ()
    ms: NDArray[np.float64] | None = None
    thumbnails: dict[int, bytes] = field(default_factory=dict)
    features: dict[str, NDArray[Any]] = field(default_factory=dict)
    detection: Detection | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each sample, by its id."""
        return {name: number for number, name in enumerate(self.ids)}

    @property
    def is_classification(self) -> bool:
        return self.task is Task.CLASSIFICATION

    @property
    def has_values(self) -> bool:
        """Whether answers are numbers that are more or less far off, and not right or wrong."""
        return self.task in (Task.REGRESSION, Task.FORECAST)

    @cached_property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the class is the right one, or all is found and nothing else, shape (n,)."""
        if self.detection is not None:
            return np.array([not mistakes for mistakes in self.detection.mistakes], bool)
        return np.asarray(self.targets == self.predictions)

    def is_of(self, label: int) -> NDArray[np.bool_]:
        """Whether a sample is of a class in truth, or such a thing is in the image, shape (n,)."""
        if self.detection is None:
            return np.asarray(self.targets == label)
        wanted = self.detection.wanted
        return np.bincount(wanted.images[wanted.labels == label], minlength=len(self)) > 0

    @cached_property
    def wrongness(self) -> NDArray[np.float64]:
        """How far each answer is from the truth, shape (n,), at least 0; more is worse.

        For classes how much the score of the given answer exceeds that of the right one (1 for an error if there
        are no scores), for values the distance, for boxes one for each that is missing and the score of each that
        should not be there.
        """
        if self.detection is not None:
            return self.detection.wrongness
        if self.has_values:
            return np.asarray(np.abs(self.predictions - self.targets), np.float64)
        if self.scores is None:
            return (~self.is_right).astype(np.float64)
        if self.scores.shape[1] == 1:
            return np.where(self.is_right, 0.0, np.abs(self.scores[:, 0] - 0.5) * 2)
        rows = np.arange(len(self.targets))
        gap = self.scores[rows, self.predictions] - self.scores[rows, self.targets]
        return np.asarray(np.maximum(gap, 0.0), np.float64)

    def scores_of(self, label: int) -> NDArray[np.float64]:
        """The scores of one class, shape (n,); of a detection that of the surest such box of the image, 0 for none.

        Raises:
            ValueError: none were kept for it.
        """
        if self.detection is not None:
            found = self.detection.found
            chosen = found.labels == label
            highest = np.zeros(len(self), np.float64)
            np.maximum.at(highest, found.images[chosen], found.scores[chosen].astype(np.float64))
            return highest
        if self.scores is None or (self.scores.shape[1] == 1 and label != 1):
            raise ValueError(f"No scores were kept for class {label}.")
        return self.scores[:, 0 if self.scores.shape[1] == 1 else label].astype(np.float64)

    @property
    def scored_labels(self) -> tuple[int, ...]:
        """The classes that have scores."""
        if self.detection is not None:
            return tuple(range(len(self.labels)))
        if self.scores is None:
            return ()
        return (1,) if self.scores.shape[1] == 1 else tuple(range(self.scores.shape[1]))

    def target_text(self, number: int) -> str:
        """The truth of a sample, for people."""
        if self.detection is not None:
            return self._names(self.detection.wanted, number)
        return self._text(self.targets[number])

    def prediction_text(self, number: int) -> str:
        """The answer for a sample, for people."""
        if self.detection is not None:
            return self._names(self.detection.answers, number)
        return self._text(self.predictions[number])

    def truth_text(self, number: int) -> str:
        """The whole truth of a sample: `target_text`, and where boxes are."""
        text = self.target_text(number)
        if self.detection is None:
            return text
        wanted = self.detection.wanted
        return text + "".join(f" {wanted.corners[box].round(1).tolist()}" for box in wanted.of(number))

    def mistakes(self, number: int) -> list[tuple[str, str]]:
        """What is wrong with the boxes of an image: names of the class that was to be found and of the found one."""
        found = self.detection.mistakes[number] if self.detection is not None else []
        return [(self._name(truth), self._name(answer)) for truth, answer in found]

    def _names(self, boxes: Boxes, image: int) -> str:
        return ", ".join(sorted(self.labels[int(boxes.labels[box])] for box in boxes.of(image))) or NOTHING

    def _name(self, label: int) -> str:
        return self.labels[label] if label >= 0 else NOTHING

    def take(self, numbers: Iterable[int]) -> "Predictions":
        """The samples with these numbers, in that order."""
        chosen = list(numbers)
        index = np.asarray(chosen, np.intp)
        return replace(
            self,
            ids=tuple(self.ids[number] for number in chosen),
            targets=self.targets[index],
            predictions=self.predictions[index],
            scores=None if self.scores is None else self.scores[index],
            paths=tuple(self.paths[number] for number in chosen) if self.paths else (),
            ms=None if self.ms is None else self.ms[index],
            thumbnails={new: self.thumbnails[old] for new, old in enumerate(chosen) if old in self.thumbnails},
            features={name: values[index] for name, values in self.features.items()},
            detection=self.detection.take(chosen) if self.detection is not None else None,
        )

    def without(self, ids: Iterable[str]) -> "Predictions":
        """All samples but those with these ids."""
        left_out = set(ids)
        return self.take(number for number, name in enumerate(self.ids) if name not in left_out)

    def frame(self) -> dict[str, list[Any]]:
        """Columns for a table: id, target, prediction, `score:<class>`, path, ms, features; as far as they are known.

        Of a detection also `mistakes`: "cat → –" is a cat that was missed, "– → cat" one that is not there.
        """
        numbers = range(len(self))
        columns: dict[str, list[Any]] = {"id": list(self.ids)}
        if self.has_values:
            columns |= {"target": self.targets.tolist(), "prediction": self.predictions.tolist()}
        else:
            columns["target"] = [self.target_text(number) for number in numbers]
            columns["prediction"] = [self.prediction_text(number) for number in numbers]
        if self.detection is not None:
            pairs = [self.mistakes(number) for number in numbers]
            columns["mistakes"] = ["; ".join(f"{truth} → {answer}" for truth, answer in each) for each in pairs]
        for label in self.scored_labels:
            columns[f"score:{self.labels[label]}"] = self.scores_of(label).tolist()
        if any(self.paths):
            columns["path"] = list(self.paths)
        if self.ms is not None:
            columns["ms"] = self.ms.tolist()
        for name, values in self.features.items():
            columns.setdefault(name, values.tolist())
        return columns

    def _text(self, value: Any) -> str:  # a NumPy scalar
        return self.labels[int(value)] if self.is_classification else f"{float(value):.6g}"


_PARTS = ("counts", "labels", "corners", "scores")  # of boxes


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write the file, whole or not at all."""
    about = About(
        task=predictions.task,
        labels=predictions.labels,
        ids=predictions.ids,
        paths=predictions.paths,
        features=tuple(predictions.features),
    )
    kept = sorted(predictions.thumbnails.items())
    arrays: dict[str, NDArray[Any]] = {
        "about": np.frombuffer(msgspec.json.encode(about), np.uint8),
        "targets": predictions.targets,
        "predictions": predictions.predictions,
        "thumbnail_numbers": np.array([number for number, _ in kept], np.int64),
        "thumbnail_sizes": np.array([len(data) for _, data in kept], np.int64),
        "thumbnail_bytes": np.frombuffer(b"".join(data for _, data in kept), np.uint8),
    }
    if predictions.scores is not None:
        arrays["scores"] = predictions.scores
    if predictions.ms is not None:
        arrays["ms"] = predictions.ms
    arrays |= {f"feature_{place}": values for place, values in enumerate(predictions.features.values())}
    if predictions.detection is not None:
        arrays["sizes"] = predictions.detection.sizes
        for name, boxes in (("wanted", predictions.detection.wanted), ("found", predictions.detection.found)):
            arrays |= {f"{name}_{part}": getattr(boxes, part) for part in _PARTS}
    with drafted(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote; nothing in it is executed.

    Raises:
        NotFound: there is no such file.
        FormatUnknown: another version of Runyard wrote it.
        ServiceError: it is damaged, or is no such file.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = msgspec.json.decode(arrays["about"].tobytes(), type=About)
        if about.format != FORMAT:
            raise FormatUnknown(f"{path} has format {about.format}; this Runyard knows {FORMAT}. Install a newer one.")
        found = _from_arrays(about, arrays)
    except FormatUnknown:
        raise
    except FileNotFoundError:
        raise NotFound(f"There are no predictions at {path}.") from None
    except Exception as problem:  # whatever NumPy makes of bytes that are none of ours
        raise ServiceError(f"{path} cannot be read as predictions: {problem}.") from None
    _check(found, path)
    return found


def _from_arrays(about: About, arrays: dict[str, NDArray[Any]]) -> Predictions:
    data = arrays["thumbnail_bytes"].tobytes()
    ends = np.cumsum(arrays["thumbnail_sizes"]).tolist()
    starts = [0, *ends][:-1]
    numbers = arrays["thumbnail_numbers"].tolist()
    return Predictions(
        task=about.task,
        labels=about.labels,
        ids=about.ids,
        targets=arrays["targets"],
        predictions=arrays["predictions"],
        scores=arrays.get("scores"),
        paths=about.paths,
        ms=arrays.get("ms"),
        thumbnails={n: data[start:end] for n, start, end in zip(numbers, starts, ends, strict=True)},
        features={name: arrays[f"feature_{place}"] for place, name in enumerate(about.features)},
        detection=_detection(arrays) if about.task is Task.DETECTION else None,
    )


def _detection(arrays: dict[str, NDArray[Any]]) -> Detection:
    wanted, found = (Boxes(**{part: arrays[f"{name}_{part}"] for part in _PARTS}) for name in ("wanted", "found"))
    return Detection(wanted=wanted, found=found, sizes=arrays["sizes"])


def _check(found: Predictions, path: str | Path) -> None:
    """The file may come from anybody: what would break a page later is refused here."""
    n = len(found.ids)
    shapes = {found.targets.shape, found.predictions.shape}
    shapes |= {found.ms.shape} if found.ms is not None else set()
    is_fine = shapes == {(n,)} and len(found.paths) in (0, n) and len(set(found.ids)) == n
    if found.scores is not None:
        is_fine &= found.scores.shape in ((n, 1), (n, len(found.labels)))
    if found.is_classification and n:
        both = np.concatenate([found.targets, found.predictions])
        is_fine &= both.dtype.kind == "i" and int(both.min()) >= 0 and int(both.max()) < len(found.labels)
    is_fine &= all(values.shape == (n,) and values.dtype.kind in "fiubU" for values in found.features.values())
    if found.detection is not None:
        is_fine &= found.detection.sizes.shape == (n, 2)
        is_fine &= all(_fits(boxes, n, len(found.labels)) for boxes in (found.detection.wanted, found.detection.found))
    if not is_fine:
        raise ServiceError(f"{path} is damaged: its columns do not fit each other.")


def _fits(boxes: Boxes, n: int, classes: int) -> bool:
    m = len(boxes)
    shapes = (boxes.counts.shape, boxes.labels.shape, boxes.corners.shape, boxes.scores.shape)
    if shapes != ((n,), (m,), (m, 4), (m,)) or boxes.counts.dtype.kind != "i" or boxes.labels.dtype.kind != "i":
        return False
    is_known = not m or 0 <= int(boxes.labels.min()) <= int(boxes.labels.max()) < classes
    is_finite = bool(np.isfinite(boxes.corners).all() and np.isfinite(boxes.scores).all())
    return is_known and is_finite and bool((boxes.counts >= 0).all()) and int(boxes.counts.sum()) == m
