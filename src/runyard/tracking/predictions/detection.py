"""What was to be found in images, and what was found."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runyard.tracking.predictions.boxes import Boxes, partners

SURE = 0.5  # from this score on a found box is an answer; weaker ones are kept for the threshold


@dataclass(frozen=True, kw_only=True, eq=False)
class Detection:
    """What was to be found in each of n images, and what was found.

    Attributes:
        wanted: the truth.
        found: all boxes that were kept; those with a score of at least SURE are the answer.
        sizes: width and height of each image in pixels, shape (n, 2); 0 where they are not known.
    """

    wanted: Boxes
    found: Boxes
    sizes: NDArray[np.int64]

    @cached_property
    def answers(self) -> Boxes:
        """The found boxes that count as an answer."""
        return self.found.surer_than(SURE)

    @cached_property
    def is_hit(self) -> NDArray[np.bool_]:
        """Whether each box of the answers is right, shape (m,)."""
        return np.asarray(partners(self.wanted, self.answers) >= 0)

    @cached_property
    def mistakes(self) -> list[list[tuple[int, int]]]:
        """For each image what is wrong: the class that was to be found and the one that was found, -1 for none."""
        answers = self.answers
        right = partners(self.wanted, answers)
        is_open = np.ones(len(self.wanted), bool)
        is_open[right[right >= 0]] = False
        result: list[list[tuple[int, int]]] = [[] for _ in self.wanted.counts]
        confused = _left_over(self.wanted, answers, is_open, right < 0)
        for number in np.flatnonzero(right < 0):
            other = confused[number]
            truth = int(self.wanted.labels[other]) if other >= 0 else -1
            result[int(answers.images[number])].append((truth, int(answers.labels[number])))
            if other >= 0:
                is_open[other] = False
        for number in np.flatnonzero(is_open):
            result[int(self.wanted.images[number])].append((int(self.wanted.labels[number]), -1))
        return result

    @cached_property
    def wrongness(self) -> NDArray[np.float64]:
        """How wrong the answer for each image is, shape (n,).

        A box that is missing counts one, or less if it was found but not surely; one that is too much its score.
        """
        wanted, found = self.wanted, self.found
        stands_for = partners(wanted, found)
        gaps = np.ones(len(wanted))
        is_hit = stands_for >= 0
        gaps[stands_for[is_hit]] = np.where(found.scores[is_hit] >= SURE, 0.0, 1.0 - found.scores[is_hit])
        extra = np.where(~is_hit & (found.scores >= SURE), found.scores, 0.0)
        n = len(wanted.counts)
        missing = np.bincount(wanted.images, weights=gaps, minlength=n)
        return np.asarray(missing + np.bincount(found.images, weights=extra, minlength=n), np.float64)

    def take(self, numbers: list[int]) -> "Detection":
        """Some of the images."""
        return Detection(
            wanted=self.wanted.take(numbers),
            found=self.found.take(numbers),
            sizes=self.sizes[np.asarray(numbers, np.intp)],
        )


def _left_over(
    wanted: Boxes, answers: Boxes, is_open: NDArray[np.bool_], is_wrong: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """For each wrong answer the open box that lies where it does, whatever its label; -1 for none."""
    result = np.full(len(answers), -1, np.int64)
    rest = [
        Boxes(
            counts=np.bincount(boxes.images[chosen], minlength=len(boxes.counts)).astype(np.int64),
            labels=boxes.labels[chosen],
            corners=boxes.corners[chosen],
            scores=boxes.scores[chosen],
        )
        for boxes, chosen in ((wanted, is_open), (answers, is_wrong))
    ]
    places = partners(rest[0], rest[1], any_label=True)
    numbers = np.flatnonzero(is_open)
    result[is_wrong] = np.where(places >= 0, numbers[places], -1) if len(numbers) else -1
    return result
