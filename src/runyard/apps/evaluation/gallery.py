"""The answers to look at: the wrong ones, the worst first. Half of a meeting is about labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from runyard.errors import UsageError
from runyard.tracking.predictions import NOTHING, Predictions

Order = Literal["worst", "closest", "id"]
GroupBy = Literal["label", "confusion"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One sample with a wrong answer (of a regression: any).

    Attributes:
        number: its place in the predictions.
        score: of the given answer, None if none were kept.
        wrongness: see `Predictions.wrongness`.
        features: what tells people which sample it is, as texts by name.
    """

    number: int
    id: str
    target: str
    prediction: str
    score: float | None
    wrongness: float
    path: str
    ms: float | None
    thumbnail: bytes | None
    features: Mapping[str, str] = field(default_factory=dict)


def errors(
    predictions: Predictions, *, order: Order = "worst", group_by: GroupBy | None = None, most: int | None = None
) -> dict[str, list[Item]]:
    """The wrong answers, in groups; the group with the most errors first.

    Args:
        order: "worst" first, the "closest" calls first, or by "id".
        group_by: "label": by what they are in truth; "confusion": by that and what they were taken for; None: one
            group with an empty name. Values have one group. An image with several wrong boxes goes by its first one.
        most: how many of each group.

    Raises:
        UsageError: `order` or `group_by` is none of these.
    """
    if order not in ("worst", "closest", "id") or group_by not in ("label", "confusion", None):
        raise UsageError(
            f"errors(order={order!r}, group_by={group_by!r}): order is 'worst', 'closest' or 'id'; group_by is "
            "'label', 'confusion' or None."
        )
    numbers = _in_order(predictions, order)
    groups: dict[str, list[int]] = {}
    for number in numbers:
        groups.setdefault(_group(predictions, number, group_by), []).append(number)
    largest_first = sorted(groups.items(), key=lambda group: -len(group[1]))
    return {name: [item_of(predictions, number) for number in group[:most]] for name, group in largest_first}


def count_errors(predictions: Predictions, *, group_by: GroupBy | None = None) -> dict[str, int]:
    """How many wrong answers each group of `errors` has."""
    numbers = _in_order(predictions, "id")
    counts: dict[str, int] = {}
    for number in numbers:
        name = _group(predictions, number, group_by)
        counts[name] = counts.get(name, 0) + 1
    return counts


def item_of(predictions: Predictions, number: int) -> Item:
    """A sample as the gallery shows it."""
    return Item(
        number=number,
        id=predictions.ids[number],
        target=predictions.target_text(number),
        prediction=predictions.prediction_text(number),
        score=_score(predictions, number),
        wrongness=float(predictions.wrongness[number]),
        path=predictions.paths[number] if predictions.paths else "",
        ms=float(predictions.ms[number]) if predictions.ms is not None else None,
        thumbnail=predictions.thumbnails.get(number),
        features={name: _text(values[number]) for name, values in predictions.features.items()},
    )


def _text(value: Any) -> str:  # a scalar of NumPy
    return f"{float(value):.6g}" if isinstance(value, np.floating) else str(value)


def _score(predictions: Predictions, number: int) -> float | None:
    """Of the given answer; the first of two classes has what the second one left, if scores are probabilities."""
    if not predictions.is_classification or predictions.scores is None:
        return None
    answer = int(predictions.predictions[number])
    if answer in predictions.scored_labels:
        return float(predictions.scores_of(answer)[number])
    other = float(predictions.scores_of(1)[number])
    return 1 - other if 0 <= other <= 1 else None


def _in_order(predictions: Predictions, order: Order) -> list[int]:
    everything = np.arange(len(predictions))
    wrong = everything if predictions.has_values else everything[~predictions.is_right]
    if order == "id":
        return sorted(wrong.tolist(), key=lambda number: predictions.ids[number])
    sign = -1 if order == "worst" else 1
    found: list[int] = wrong[np.argsort(sign * predictions.wrongness[wrong], kind="stable")].tolist()
    return found


def _group(predictions: Predictions, number: int, group_by: GroupBy | None) -> str:
    if group_by is None or predictions.has_values:
        return ""
    if predictions.detection is not None:
        truth, answer = predictions.mistakes(number)[0]
        return (truth if truth != NOTHING else answer) if group_by == "label" else f"{truth} → {answer}"
    target = predictions.target_text(number)
    return target if group_by == "label" else f"{target} → {predictions.prediction_text(number)}"
