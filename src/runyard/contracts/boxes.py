"""Boxes: what is to be found in each of several images."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from runyard.contracts.array import Dims
from runyard.contracts.conversion import AnyArray, as_array
from runyard.contracts.problems import Problem, require_none

_COLUMNS = ("label", "left", "top", "right", "bottom")


@dataclass(frozen=True)
class Boxes:
    """For each image the boxes in it: an array of shape (k, 5) with label, left, top, right, bottom, in pixels.

        Boxes("n", labels=range(10), width=32, height=32)

    Attributes:
        images: the name of their number; where another field has it, too, there must be as many of both.
        labels: all classes that may occur.
        width, height: of every image; no box goes beyond. None for no limit.
        least_side: a box is at least so wide and so high, in pixels.
        at_most: so many boxes may be in one image.
        empty: images without any box are allowed.
        each_at_least: so often each of `labels` must occur.
    """

    images: str = "n"
    _: KW_ONLY
    labels: Collection[int]
    width: float | None = None
    height: float | None = None
    least_side: float = 1.0
    at_most: int | None = None
    empty: bool = True
    each_at_least: int | None = None

    @property
    def one(self) -> "Boxes":
        """What holds for the boxes of a single image, given as a list of one array."""
        return replace(self, images="", each_at_least=None)

    def problems(self, value: Any, *, place: str = "value", dims: Dims | None = None) -> list[Problem]:
        """Everything that the boxes do not keep; empty if they are as declared. See `Array.problems`."""
        if not isinstance(value, Sequence) and not isinstance(value, np.ndarray):
            return [Problem(place, f"is {type(value).__name__}; a list with the boxes of each image is declared.")]
        known = {} if dims is None else dims
        size, first = known.setdefault(self.images, (len(value), place)) if self.images else (len(value), place)
        found = []
        if size != len(value):
            found.append(
                Problem(place, f"has {self.images} = {len(value):,}, but {first} has {self.images} = {size:,}.")
            )
        arrays: list[AnyArray] = []
        for image, boxes in enumerate(value):
            sentences = list(self._of_image(boxes, arrays))
            found += [Problem(f"{place}[{image}]", sentence) for sentence in sentences]
        if not found and self.each_at_least is not None:
            found += [Problem(place, sentence) for sentence in self._rare(arrays)]
        return found

    def check(self, value: Any, *, place: str = "value") -> None:
        """Do nothing if the boxes are as declared.

        Raises:
            ContractBroken: they are not.
        """
        require_none(self.problems(value, place=place), what="The value")

    def _of_image(self, boxes: Any, arrays: list[AnyArray]) -> Iterator[str]:
        try:
            array = as_array(boxes).array
        except ValueError as error:
            yield str(error)
            return
        if not array.size:
            if not self.empty:
                yield "has no box."
            return
        if array.ndim != 2 or array.shape[1] != len(_COLUMNS) or array.dtype.kind not in "fiu":
            yield f"has the shape {array.shape}; (k, 5) is declared: {', '.join(_COLUMNS)}."
            return
        if not np.isfinite(array).all():
            yield "has a number that is NaN or infinite."
            return
        arrays.append(array)
        if self.at_most is not None and len(array) > self.at_most:
            yield f"has {len(array)} boxes; at most {self.at_most} are declared."
        for box in array.tolist():
            yield from self._of_box(box)

    def _of_box(self, box: list[float]) -> Iterator[str]:
        label, left, top, right, bottom = box
        told = f"has a box of {label:g} at {left:g}, {top:g}, {right:g}, {bottom:g}"
        if label not in self.labels:
            yield f"{told}, and no class {label:g} is declared."
        if right - left < self.least_side or bottom - top < self.least_side:
            yield f"{told}: {right - left:g} x {bottom - top:g} pixels, and at least {self.least_side:g} are declared."
        elif min(left, top) < 0 or right > (self.width or np.inf) or bottom > (self.height or np.inf):
            yield f"{told}, beyond its image of {self.width or np.inf:g} x {self.height or np.inf:g} pixels."

    def _rare(self, arrays: list[AnyArray]) -> Iterator[str]:
        labels = np.concatenate([array[:, 0] for array in arrays]) if arrays else np.zeros(0)
        counts = {label: int((labels == label).sum()) for label in self.labels}
        rare = [f"{label} ({n:,} times)" for label, n in counts.items() if n < (self.each_at_least or 0)]
        if rare:
            told = ", ".join(rare[:5])
            yield f"holds {told} too rarely; at least {self.each_at_least:,} of each are declared."
