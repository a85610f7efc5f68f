"""Trying a model on something new: the answer, how long it took, and a picture with what the model saw."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.apps.show.overlay import overlaid, picture_of
from runyard.project.answers import columns_of


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One input and its answer.

    Attributes:
        answer: the fields of the project's output, whatever they are.
        ms: milliseconds that the model took for it.
        picture: the input as pixels of shape (H, W, 3), None if it is no picture.
    """

    name: str
    answer: dict[str, Any]
    ms: float
    picture: NDArray[np.uint8] | None

    def overlaid(self, strength: float) -> NDArray[np.uint8] | None:
        """The picture with maps and boxes of the answer drawn over it; see `runyard.apps.show.overlay`."""
        return None if self.picture is None else overlaid(self.picture, self.answer, strength=strength)


def trials(
    model: Any, predict: Callable[[Any, list[Any]], Sequence[Any]], inputs: Sequence[tuple[str, Any]]
) -> list[Trial]:
    """Ask a model about named inputs, one after another, so that each has a time of its own.

    Args:
        model: what the project's `load` returned.
        predict: the project's `predict`.
        inputs: what the project's `read` returned: names and inputs.
    """
    return [_trial(model, predict, name, value) for name, value in inputs]


def _trial(model: Any, predict: Callable[[Any, list[Any]], Sequence[Any]], name: str, value: Any) -> Trial:
    started = time.perf_counter()
    (output,) = predict(model, [value])
    ms = (time.perf_counter() - started) * 1000
    return Trial(name=name, answer=columns_of(output), ms=ms, picture=picture_of(value))
