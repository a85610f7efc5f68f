"""The predictions of a run on an evaluation set, and the file they are kept in.

`predictions.npz` is an ordinary NumPy file without pickle: a JSON document `about` as bytes (format, task, class
names, ids, paths) and one array for each of the rest. Thumbnails lie behind each other in one array of bytes.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runyard.errors import FormatUnknown, NotFound, ServiceError

FILE = "predictions.npz"
KIND = "predictions"  # of the artifact
FORMAT = 1


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The document in the file."""

    format: int = FORMAT
    task: Task
    labels: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """One answer a sample; arrays of shape (n,) in the order of `ids`.

    Attributes:
        labels: names of the classes; empty for a regression.
        ids: of the samples, unique: the same sample has the same id in every run.
        targets: class numbers (int64), or values (float64).
        predictions: what the model answered, of the same type.
        scores: shape (n, classes), or (n, 1) for the score of the second of two classes; None if there are none.
        paths: where the samples come from, empty texts where that is not known.
        ms: milliseconds each took, or None.
        thumbnails: small images (PNG, WebP or JPEG) by sample number; not every sample has one.
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
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the class is the right one, shape (n,)."""
        return np.asarray(self.targets == self.predictions)

    @cached_property
    def wrongness(self) -> NDArray[np.float64]:
        """How far each answer is from the truth, shape (n,), at least 0; more is worse.

        For classes how much the score of the given answer exceeds that of the right one (1 for an error if there
        are no scores), for values the distance.
        """
        if not self.is_classification:
            return np.asarray(np.abs(self.predictions - self.targets), np.float64)
        if self.scores is None:
            return (~self.is_right).astype(np.float64)
        if self.scores.shape[1] == 1:
            return np.where(self.is_right, 0.0, np.abs(self.scores[:, 0] - 0.5) * 2)
        rows = np.arange(len(self.targets))
        gap = self.scores[rows, self.predictions] - self.scores[rows, self.targets]
        return np.asarray(np.maximum(gap, 0.0), np.float64)

    def scores_of(self, label: int) -> NDArray[np.float64]:
        """The scores of one class, shape (n,).

        Raises:
            ValueError: none were kept for it.
        """
        if self.scores is None or (self.scores.shape[1] == 1 and label != 1):
            raise ValueError(f"No scores were kept for class {label}.")
        return self.scores[:, 0 if self.scores.shape[1] == 1 else label].astype(np.float64)

    @property
    def scored_labels(self) -> tuple[int, ...]:
        """The classes that have scores."""
        if self.scores is None:
            return ()
        return (1,) if self.scores.shape[1] == 1 else tuple(range(self.scores.shape[1]))

    def target_text(self, number: int) -> str:
        """The truth of a sample, for people."""
        return self._text(self.targets[number])

    def prediction_text(self, number: int) -> str:
        """The answer for a sample, for people."""
        return self._text(self.predictions[number])

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
        )

    def without(self, ids: Iterable[str]) -> "Predictions":
        """All samples but those with these ids."""
        left_out = set(ids)
        return self.take(number for number, name in enumerate(self.ids) if name not in left_out)

    def frame(self) -> dict[str, list[Any]]:
        """Columns for a table: id, target, prediction, `score:<class>`, path, ms; as far as they are known."""
        numbers = range(len(self))
        columns: dict[str, list[Any]] = {"id": list(self.ids)}
        if self.is_classification:
            columns["target"] = [self.target_text(number) for number in numbers]
            columns["prediction"] = [self.prediction_text(number) for number in numbers]
        else:
            columns |= {"target": self.targets.tolist(), "prediction": self.predictions.tolist()}
        for label in self.scored_labels:
            columns[f"score:{self.labels[label]}"] = self.scores_of(label).tolist()
        if any(self.paths):
            columns["path"] = list(self.paths)
        if self.ms is not None:
            columns["ms"] = self.ms.tolist()
        return columns

    def _text(self, value: Any) -> str:  # a NumPy scalar
        return self.labels[int(value)] if self.is_classification else f"{float(value):.6g}"


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write the file, whole or not at all."""
    about = About(task=predictions.task, labels=predictions.labels, ids=predictions.ids, paths=predictions.paths)
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
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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
    )


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
    if not is_fine:
        raise ServiceError(f"{path} is damaged: its columns do not fit each other.")
