"""The threshold of a report: what stands there at first, and the scores that its script computes with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.apps.evaluation import Costs, Decision, Scored, interval
from runyard.apps.words import Words
from runyard.drawing import Plot, nice_ceiling
from runyard.errors import UsageError
from runyard.tracking.predictions import Predictions

MOST_SCORES = 20_000  # of a class; more are thinned evenly
_MOST_IN_ALL = 200_000  # of all classes of a report: each takes about ten bytes
_DEFAULT = 0.5
_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Line:
    """Where the line is drawn, for one class.

    Attributes:
        label: the wanted class.
        number: its number.
        at, best: what happens at the chosen threshold, and at the cheapest.
    """

    label: str
    number: int
    scored: Scored
    at: Decision
    best: Decision


def wanted_classes(predictions: Predictions, positive: str | None) -> list[int]:
    """The numbers of the classes that one may look for; the likeliest first.

    Without a name it is the second of two classes, else all, those that are missed most often first.

    Raises:
        UsageError: no class has that name, or none of its scores were kept.
    """
    scored = list(predictions.scored_labels)
    if positive is not None:
        if positive not in predictions.labels or predictions.labels.index(positive) not in scored:
            names = ", ".join(predictions.labels[number] for number in scored[:20]) or "none"
            raise UsageError(f"'{positive}' is no class that scores were kept for. There are: {names}.")
        return [predictions.labels.index(positive)]
    if predictions.is_classification and len(predictions.labels) == 2:
        return [number for number in scored if number == 1]
    missed = {number: int((~predictions.is_right & predictions.is_of(number)).sum()) for number in scored}
    return sorted(scored, key=lambda number: -missed[number])


def line_of(
    predictions: Predictions, number: int, costs: Costs, *, threshold: float | None = None, share: float | None = None
) -> Line:
    """What a threshold (0.5 if left out) does for one class, and what the cheapest would do."""
    scored = Scored(predictions, number)
    best = scored.curve(costs, share=share).best
    return Line(
        label=predictions.labels[number],
        number=number,
        scored=scored,
        at=scored.at(_DEFAULT if threshold is None else threshold, share=share),
        best=scored.at(best, share=share),
    )


def cost_plot(line: Line, costs: Costs, words: Words, *, width: int = 460, height: int = 300) -> str:
    """The costs over the threshold as SVG, with the chosen and the cheapest one marked."""
    low, high = line.scored.range
    xs = np.linspace(low, high, _STEPS + 1)
    ys = [line.scored.at(float(x), share=line.at.share).cost(costs) for x in xs]
    of_what = words("per_things", per=words.number(costs.per), things=things(costs, words))
    plot = Plot(
        x=(low, high),
        y=(0, nice_ceiling(max(ys))),
        width=width,
        height=height,
        x_label=words("line"),
        y_label=f"{words('cost')}, {costs.unit} {of_what}",
        number=words.tick,
        title=words("cost_curve"),
        left=56,
    )
    plot.line(xs, ys, name="cost-line")
    plot.vertical(line.best.threshold, ink="ok", name="cost-best", label=words("cheapest"))
    plot.vertical(line.at.threshold, ink="ink-2", name="cost-at")
    return plot.dot(line.at.threshold, line.at.cost(costs), name="cost-dot").svg()


def things(costs: Costs, words: Words) -> str:
    """What is counted, in the customer's words if they are known."""
    return words.own(costs.things) or words("things")


def names(costs: Costs, words: Words) -> tuple[str, str]:
    """How a miss and a false alarm are called."""
    return words.own(costs.missed_name) or words("missed"), words.own(costs.alarm_name) or words("alarm")


def measured(k: int, n: int, words: Words) -> str:
    """`measured: 3 of 40 (95 %: 2.6 % to 19.9 %)`."""
    low, high = interval(k, n)
    return words("measured", k=words.number(k), n=words.number(n), low=words.percent(low), high=words.percent(high))


def script_data(lines: list[Line], costs: Costs, words: Words, *, n_runs: int = 1) -> dict[str, Any]:
    """What the script of the report needs, JSON-like; `n_runs` share the room."""
    most = min(MOST_SCORES, _MOST_IN_ALL // max(2 * len(lines) * n_runs, 1))
    return {
        "locale": words.locale,
        "per": costs.per,
        "unit": costs.unit,
        "missed": costs.missed,
        "alarm": costs.alarm,
        "shareText": words("share", label="{label}", per=words.number(costs.per), things=things(costs, words)),
        "measured": words("measured", k="{k}", n="{n}", low="{low}", high="{high}"),
        "most": most,
        "lines": [
            {
                "label": line.label,
                "share": line.at.share,
                "range": list(line.scored.range),
                "wanted": _texts(line.scored.wanted, most),
                "others": _texts(line.scored.others, most),
                "nWanted": len(line.scored.wanted),
                "nOthers": len(line.scored.others),
            }
            for line in lines
        ],
    }


def _texts(scores: NDArray[np.float64], most: int) -> list[float]:
    """Nine digits: as many as tell all numbers of 32 bits apart."""
    if len(scores) > most:
        scores = scores[np.linspace(0, len(scores) - 1, most).round().astype(np.intp)]
    return [float(f"{score:.9g}") for score in scores.tolist()]
