"""Two models on the same samples: only where they differ, and whether the difference could be chance."""

import math
from dataclasses import dataclass

import numpy as np

from runyard.tracking.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A sample on which one of two models is better. `first` and `second` are places in their predictions."""

    id: str
    target: str
    first_answer: str
    second_answer: str
    is_second_better: bool
    first: int
    second: int
    gap: float  # how much worse the worse one is


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What two models answered for the same samples.

    Attributes:
        common: how many samples both have answered, with the same truth.
        only_first, only_second: how many only one of them has answered.
        relabelled: how many both have answered, but with another truth; they are left out.
        both_right, both_wrong: of classes and boxes; 0 for values.
        first_better, second_better: where only one is right, or nearer to the truth.
        p_value: how often chance alone would make a difference this large or larger, 0 to 1; exact McNemar test
            for classes, sign test for values (which is the same calculation).
        differences: where one is better, the clearest first.
    """

    common: int
    only_first: int
    only_second: int
    relabelled: int
    both_right: int
    both_wrong: int
    first_better: int
    second_better: int
    p_value: float
    differences: tuple[Difference, ...]


def compare(first: Predictions, second: Predictions) -> Comparison:
    """Compare by ids. Class names decide what is the same class, not their numbers.

    Raises:
        ValueError: one predicts classes, the other one values.
    """
    if first.task is not second.task:
        raise ValueError(f"A {first.task} and a {second.task} cannot be compared.")
    shared = [(number, second.numbers[name]) for name, number in first.numbers.items() if name in second.numbers]
    pairs = [(a, b) for a, b in shared if _same_truth(first, a, second, b)]
    left, right = (np.array([pair[side] for pair in pairs], np.intp) for side in (0, 1))
    if not first.has_values:
        is_first, is_second = first.is_right[left], second.is_right[right]
        is_first_better, is_second_better = is_first & ~is_second, is_second & ~is_first
        both_right, both_wrong = int((is_first & is_second).sum()), int((~is_first & ~is_second).sum())
    else:
        is_first_better = first.wrongness[left] < second.wrongness[right]
        is_second_better = second.wrongness[right] < first.wrongness[left]
        both_right = both_wrong = 0
    won, lost = int(is_first_better.sum()), int(is_second_better.sum())
    differences = [
        _difference(first, a, second, b, is_second_better=bool(is_second_better[place]))
        for place, (a, b) in enumerate(pairs)
        if is_first_better[place] or is_second_better[place]
    ]
    return Comparison(
        common=len(pairs),
        only_first=len(first) - len(shared),
        only_second=len(second) - len(shared),
        relabelled=len(shared) - len(pairs),
        both_right=both_right,
        both_wrong=both_wrong,
        first_better=won,
        second_better=lost,
        p_value=sign_test(won, lost),
        differences=tuple(sorted(differences, key=lambda each: (-each.gap, each.id))),
    )


def sign_test(won: int, lost: int) -> float:
    """How often a fair coin, thrown `won + lost` times, falls at least this unevenly; 1 if it is not thrown."""
    n, few = won + lost, min(won, lost)
    if not n:
        return 1.0
    total = sum(
        math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
        for k in range(few + 1)
    )
    return min(1.0, 2 * total)


def _same_truth(first: Predictions, a: int, second: Predictions, b: int) -> bool:
    if not first.has_values:
        return first.truth_text(a) == second.truth_text(b)
    return bool(np.isclose(first.targets[a], second.targets[b], rtol=1e-9, atol=0))


def _difference(first: Predictions, a: int, second: Predictions, b: int, *, is_second_better: bool) -> Difference:
    return Difference(
        id=first.ids[a],
        target=first.target_text(a),
        first_answer=first.prediction_text(a),
        second_answer=second.prediction_text(b),
        is_second_better=is_second_better,
        first=a,
        second=b,
        gap=float(abs(first.wrongness[a] - second.wrongness[b])),
    )
