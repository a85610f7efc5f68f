"""Boxes of many images, and which of those that were found are meant by those that were to be found."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LEAST_OVERLAP = 0.5  # intersection over union: a box that shares less with the truth is at another place


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """The boxes of n images behind each other, m in all.

    Attributes:
        counts: how many each image has, shape (n,).
        labels: class numbers, shape (m,).
        corners: left, top, right, bottom in pixels, shape (m, 4).
        scores: how sure each is, shape (m,); 1 for the truth.
    """

    counts: NDArray[np.int64]
    labels: NDArray[np.int64]
    corners: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def images(self) -> NDArray[np.int64]:
        """The number of the image that each box is in, shape (m,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where the boxes of each image begin, shape (n + 1,); the last one is m."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])

    def of(self, image: int) -> range:
        """The numbers of the boxes of one image."""
        return range(int(self.starts[image]), int(self.starts[image + 1]))

    def take(self, images: Sequence[int]) -> "Boxes":
        """The boxes of some images, in their order."""
        numbers = np.array([number for image in images for number in self.of(image)], np.intp)
        counts = self.counts[np.asarray(images, np.intp)]
        return self._chosen(numbers, counts)

    def surer_than(self, score: float) -> "Boxes":
        """Those with at least this score."""
        numbers = np.flatnonzero(self.scores >= score)
        return self._chosen(numbers, np.bincount(self.images[numbers], minlength=len(self.counts)).astype(np.int64))

    def _chosen(self, numbers: NDArray[np.intp], counts: NDArray[np.int64]) -> "Boxes":
        return Boxes(
            counts=counts, labels=self.labels[numbers], corners=self.corners[numbers], scores=self.scores[numbers]
        )


def overlaps(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of each box of shape (a, 4) with each of shape (b, 4): shape (a, b), 0 to 1."""
    low = np.maximum(one[:, None, :2], others[None, :, :2]).astype(np.float64)
    high = np.minimum(one[:, None, 2:], others[None, :, 2:]).astype(np.float64)
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(each[:, 2:] - each[:, :2], 0).astype(np.float64), axis=1) for each in (one, others)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def partners(wanted: Boxes, found: Boxes, *, any_label: bool = False) -> NDArray[np.int64]:
    """For each found box the number of the wanted one that it stands for, or -1; shape (m,).

    The surest goes first and takes the wanted box of its image that it shares most with, if the label is the same
    (unless `any_label`) and they overlap by half; each wanted box is taken once.
    """
    taken = np.zeros(len(wanted), bool)
    result = np.full(len(found), -1, np.int64)
    for image in np.flatnonzero(np.minimum(wanted.counts, found.counts)):
        mine, theirs = (np.arange(*boxes.starts[image : image + 2]) for boxes in (found, wanted))
        shared = overlaps(found.corners[mine], wanted.corners[theirs])
        if not any_label:
            shared = np.where(found.labels[mine][:, None] == wanted.labels[theirs][None, :], shared, 0)
        for place in np.argsort(-found.scores[mine], kind="stable"):
            free = np.where(taken[theirs], 0, shared[place])
            best = int(free.argmax())
            if free[best] >= LEAST_OVERLAP:
                taken[theirs[best]] = True
                result[mine[place]] = theirs[best]
    return result
