"""The sections of a report as plain values, which the template only lays out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from runyard.apps.evaluation import (
    Comparison,
    Costs,
    Distances,
    GroupBy,
    Measures,
    Scored,
    compare,
    errors,
    precision_recall,
    roc,
)
from runyard.apps.evaluation.distances import SHARES
from runyard.apps.evaluation.gallery import count_errors
from runyard.apps.facts import Curve, Facts, Metric
from runyard.apps.report.pictures import Album
from runyard.apps.words import Words
from runyard.drawing import Frame, Plot, framed
from runyard.tracking.predictions import NOTHING, Predictions

MOST_CLASSES = 20  # of a matrix that can be read
MOST_GROUPS = 12
MOST_OF_A_GROUP = 12
MOST_IN_ONE_GROUP = 24
MOST_DIFFERENCES = 24
MOST_CHARTS = 8
MOST_METRICS = 60
_MOST_CHARACTERS = 300
_MOST_TIMES = 400
_CLEAR = 0.05  # a p-value below is called a difference
_TINY_P = 0.001


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A number that one sees first."""

    value: str
    label: str
    remark: str = ""


def tiles(measures: Measures, words: Words) -> list[Tile]:
    """The numbers at the top."""
    n = words.number(measures.count)
    found = []
    is_of_boxes = measures.recall is not None
    if measures.recall is not None and measures.precision is not None and measures.mean_precision is not None:
        found += [
            Tile(value=words.percent(measures.recall), label=words("boxes_found")),
            Tile(value=words.percent(measures.precision), label=words("boxes_right")),
            Tile(value=words.percent(measures.mean_precision), label=words("mean_precision")),
        ]
    if measures.accuracy is not None and measures.accuracy_interval is not None:
        low, high = (words.percent(share) for share in measures.accuracy_interval)
        found += [
            Tile(
                value=words.percent(measures.accuracy),
                label=words("all_right" if is_of_boxes else "accuracy"),
                remark=words("between", low=low, high=high),
            ),
            Tile(
                value=words.number(measures.errors),
                label=words("wrong_pictures") if is_of_boxes else words("n_errors", n="").strip(),
            ),
        ]
    if measures.mean_error is not None and measures.root_mean_square is not None:
        found.append(Tile(value=words.number(measures.mean_error), label=words("mean_error")))
        found.append(Tile(value=words.number(measures.root_mean_square), label=words("root_mean_square")))
    if measures.r2 is not None:
        found.append(Tile(value=words.percent(measures.r2), label=words("r2")))
    found.append(Tile(value=n, label=words("n_samples")))
    if measures.median_ms is not None:
        found.append(Tile(value=f"{words.number(measures.median_ms)} ms", label=words("per_sample")))
    return found


def confusion(predictions: Predictions, measures: Measures, words: Words) -> dict[str, Any]:
    """The matrix as rows of cells with their share of the row, and the most frequent confusions."""
    matrix = measures.confusion
    labels = (*predictions.labels, NOTHING) if predictions.detection is not None else predictions.labels
    rows = []
    if 0 < len(labels) <= MOST_CLASSES:
        for row, label in zip(matrix, labels, strict=True):
            total = max(int(row.sum()), 1)
            rows.append({"label": label, "cells": [{"count": int(c), "share": int(c) / total} for c in row.tolist()]})
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    most = [divmod(int(place), max(len(labels), 1)) for place in np.argsort(-off, axis=None, kind="stable")[:8]]
    return {
        "labels": labels,
        "rows": rows,
        "most": [
            {"target": labels[target], "answer": labels[answer], "count": words.number(int(off[target, answer]))}
            for target, answer in most
            if off[target, answer]
        ],
        "classes": [
            {
                "label": each.label,
                "count": words.number(each.count),
                "recall": words.percent(each.recall),
                "precision": words.percent(each.precision),
                "bar": 0.0 if math.isnan(each.recall) else each.recall,
            }
            for each in measures.classes[:MOST_CLASSES]
        ],
    }


def rate_plots(scored: Scored, words: Words, *, size: tuple[int, int] = (460, 320)) -> list[dict[str, str]]:
    """ROC and precision over recall, each as SVG with its title and area."""
    found = []
    for key, rate, ink, labels in (
        ("roc", roc(scored), "c1", ("alarm", "recall")),
        ("pr", precision_recall(scored), "c3", ("recall", "precision")),
    ):
        if rate is None:
            continue
        plot = Plot(
            x=(0, 1),
            y=(0, 1),
            width=size[0],
            height=size[1],
            x_label=words(labels[0]),
            y_label=words(labels[1]),
            number=words.tick,
            title=words(key),
        )
        if key == "roc":
            plot.line([0, 1], [0, 1], ink="line-2", width=1, dash="4 4")
        svg = plot.line(rate.x.tolist(), rate.y.tolist(), ink=ink).svg()
        found.append({"title": words(key), "remark": words("area", area=words.number(rate.area, 3)), "svg": svg})
    return found


def value_plot(predictions: Predictions, words: Words, *, size: tuple[int, int] = (460, 380)) -> str:
    """Answers over truth of a regression, as SVG; at most 2,000 points of it."""
    kept = np.linspace(0, len(predictions) - 1, min(len(predictions), 2_000)).round().astype(np.intp)
    truth, answers = predictions.targets[kept], predictions.predictions[kept]
    low, high = float(min(truth.min(), answers.min())), float(max(truth.max(), answers.max()))
    plot = Plot(
        x=(low, high),
        y=(low, high),
        width=size[0],
        height=size[1],
        x_label=words("truth"),
        y_label=words("answer"),
        number=words.tick,
        title=words("truth_over"),
    )
    plot.line([low, high], [low, high], ink="line-2", width=1, dash="4 4")
    return plot.dots(truth.tolist(), answers.tolist()).svg()


def forecast_plot(predictions: Predictions, words: Words, *, size: tuple[int, int] = (940, 300)) -> str:
    """Truth and answers over time, as SVG; at most the last 400. Times that are no numbers are counted."""
    kept = slice(max(len(predictions) - _MOST_TIMES, 0), len(predictions))
    times = _times(predictions.ids[kept])
    truth, answers = predictions.targets[kept].tolist(), predictions.predictions[kept].tolist()
    plot = Plot(
        x=(min(times), max(times)),
        y=(min(*truth, *answers), max(*truth, *answers)),
        width=size[0],
        height=size[1],
        number=words.tick,
        x_number="{:g}".format,  # years have no thousands
        title=words("over_time"),
    )
    return plot.line(times, truth, ink="ink-3", width=3).line(times, answers, ink="c1", width=1.75).svg()


def _times(texts: Sequence[str]) -> list[float]:
    try:
        times = [float(text) for text in texts]
    except ValueError:
        times = []
    return times if times and all(map(math.isfinite, times)) else [float(place) for place in range(len(texts))]


def distances(
    found: Distances, costs: Costs, words: Words, *, tolerance: float | None = None, size: tuple[int, int] = (460, 300)
) -> dict[str, Any]:
    """How many answers are close enough, as a table and a plot, and what the others cost; 90 % are at first."""
    at = found.at(found.tolerance_for(0.9) if tolerance is None else tolerance)
    low_name = words.own(costs.missed_name) or words("too_low")
    high_name = words.own(costs.alarm_name) or words("too_high")
    xs = np.linspace(0, found.largest or 1.0, 101)
    plot = Plot(
        x=(0, float(xs[-1])),
        y=(0, 1),
        width=size[0],
        height=size[1],
        x_label=words("tolerance"),
        y_label=words("share_within"),
        number=words.tick,
        title=words("within_curve"),
    )
    n = max(at.count, 1)
    plot.line(xs, [found.at(float(x)).within / n for x in xs]).vertical(at.tolerance)
    per = costs.per / n
    return {
        "tolerance": words.number(at.tolerance),
        "shares": [(words.percent(share, 0), words.number(found.tolerance_for(share))) for share in SHARES],
        "counts": [
            {"label": words("within"), "ink": "ok", "count": at.within * per},
            {"label": low_name, "ink": "c3", "count": at.low * per},
            {"label": high_name, "ink": "c2", "count": at.high * per},
        ],
        "cost": words.amount(at.cost(costs), costs.unit),
        "plot": plot.dot(at.tolerance, at.within / n).svg(),
    }


def frames(predictions: Predictions, number: int, *, with_answers: bool = True) -> list[Frame]:
    """The boxes of an image: the truth, and what was answered; none of other tasks."""
    found = predictions.detection
    if found is None:
        return []
    wanted, answers = found.wanted, found.answers
    result = [
        Frame(wanted.corners[box].tolist(), predictions.labels[int(wanted.labels[box])], "ok", is_truth=True)
        for box in wanted.of(number)
    ]
    if with_answers:
        result += [
            Frame(
                answers.corners[box].tolist(),
                predictions.labels[int(answers.labels[box])],
                "c1" if found.is_hit[box] else "bad",
                is_truth=False,
            )
            for box in answers.of(number)
        ]
    return result


def framed_picture(predictions: Predictions, number: int, uri: str, *, with_answers: bool = True) -> str:
    """The picture of a sample with its boxes as SVG; empty if there is no picture, or nothing to draw."""
    if predictions.detection is None or not uri:
        return ""
    width, height = predictions.detection.sizes[number].tolist()
    if not (width and height):
        return ""
    boxes = frames(predictions, number, with_answers=with_answers)
    return framed(uri, (width, height), boxes, title=predictions.ids[number])


def gallery(predictions: Predictions, album: Album, words: Words) -> list[dict[str, Any]]:
    """The worst errors of each class, with their pictures; in one group if they are few."""
    group_by: GroupBy | None = "label" if sum(count_errors(predictions).values()) > MOST_IN_ONE_GROUP else None
    counts = count_errors(predictions, group_by=group_by)
    groups = errors(predictions, group_by=group_by, most=MOST_OF_A_GROUP if group_by else MOST_IN_ONE_GROUP)
    found = []
    for name, items in list(groups.items())[:MOST_GROUPS]:
        cards = [
            {
                "id": item.id,
                "picture": (uri := album.uri(item.thumbnail)),
                "svg": Markup(framed_picture(predictions, item.number, uri)),
                "features": item.features,
                "target": item.target,
                "prediction": item.prediction,
                "score": words("sure", percent=words.percent(item.score, 0)) if item.score is not None else "",
            }
            for item in items
        ]
        shown, n = words.number(len(items)), words.number(counts[name])
        found.append(
            {
                "name": name,
                "remark": words("first_of", shown=shown, n=n) if counts[name] > len(items) else n,
                "cards": cards,
            }
        )
    return found


def comparison(
    first: tuple[Facts, Predictions], second: tuple[Facts, Predictions], words: Words
) -> tuple[Comparison, dict[str, Any]]:
    """What two models answered for the same samples, in words; without the samples."""
    (one, answers), (other, others) = first, second
    found = compare(answers, others)
    is_classes = not answers.has_values
    return found, {
        "first": one.name,
        "second": other.name,
        "verdict": verdict(found, one.name, other.name, words),
        "common": words("of_common", n=words.number(found.common)),
        "relabelled": words("left_out", n=words.number(found.relabelled)) if found.relabelled else "",
        "parts": [
            part
            for part in (
                {"kind": "right", "count": found.both_right, "label": words("both_right")} if is_classes else None,
                {
                    "kind": "first",
                    "count": found.first_better,
                    "label": words("only_better" if is_classes else "only_nearer", name=one.name),
                },
                {
                    "kind": "second",
                    "count": found.second_better,
                    "label": words("only_better" if is_classes else "only_nearer", name=other.name),
                },
                {"kind": "wrong", "count": found.both_wrong, "label": words("both_wrong")} if is_classes else None,
            )
            if part
        ],
    }


def verdict(found: Comparison, first: str, second: str, words: Words) -> str:
    """Whether one of two models is better, or it may be chance."""
    if not found.common:
        return words("no_common")
    if not found.first_better + found.second_better:
        return words("no_difference")
    many, few = max(found.first_better, found.second_better), min(found.first_better, found.second_better)
    if many == few:
        return words("verdict_even", few=words.number(few))
    share = words.percent(found.p_value)
    p = words("less_than", p=words.percent(_TINY_P)) if found.p_value < _TINY_P else share
    return words(
        "verdict_clear" if found.p_value < _CLEAR else "verdict_chance",
        better=second if found.second_better > found.first_better else first,
        most=words.number(many),
        few=words.number(few),
        p=p,
    )


def training_plots(curves: Mapping[str, Curve], words: Words) -> list[dict[str, str]]:
    """A small chart for each metric."""
    found = []
    for key, curve in list(curves.items())[:MOST_CHARTS]:
        plot = Plot(
            x=(curve.steps[0], max(curve.steps)),
            y=(min(curve.values), max(curve.values)),
            width=300,
            height=170,
            x_label=words("step"),
            number=words.tick,
            title=key,
        )
        found.append({"title": short(key), "svg": plot.line(curve.steps, curve.values, width=1.75).svg()})
    return found


def metric_rows(metrics: Mapping[str, Metric], words: Words) -> list[dict[str, str]]:
    """One row a metric."""
    return [
        {
            "name": short(key),
            "last": words.number(metric.last) if metric.last is not None else "–",
            "best": words.number(metric.best) if metric.best is not None else "",
            "step": words.number(metric.best_step) if metric.best_step is not None else "",
        }
        for key, metric in list(metrics.items())[:MOST_METRICS]
    ]


def setting_rows(facts: Facts) -> list[dict[str, Any]]:
    """One row a setting."""
    return [
        {"name": short(key), "value": short(value), "is_changed": key in facts.changed}
        for key, value in list(facts.config.items())[:_MOST_CHARACTERS]
    ]


def origin(facts: Facts, version: str, words: Words) -> list[dict[str, Any]]:
    """Where a run comes from: blocks of names and values."""
    run = {
        "project": facts.project,
        "experiment": facts.experiment,
        "id": facts.id,
        "state": words.state(facts.state),
        "made_at": words.date(facts.created_at),
        "duration": words.duration(facts.duration_s) if facts.duration_s is not None else "",
        "made_by": facts.user,
        "host": facts.host,
        "tags": ", ".join(facts.tags),
        "note": facts.note,
    }
    code = {name: text[:12] if name == "commit" else text for name, text in facts.code.items()}
    code |= {"changes": words("uncommitted")} if code.get("changes") else {}
    data = {"data_version": version, "data_path": facts.data}
    blocks = {"run": run, "code": code, "environment": facts.environment}
    rows = {title: [(words(key), value) for key, value in block.items()] for title, block in blocks.items()}
    rows["data"] = [*((words(key), value) for key, value in data.items()), *_data_rows(facts, words)]
    return [
        {"title": words(title), "rows": [(short(name), short(value)) for name, value in rows[title] if value]}
        for title in ("run", "data", "code", "environment")
        if any(value for _, value in rows[title])
    ]


def _data_rows(facts: Facts, words: Words) -> list[tuple[str, str]]:
    """Fingerprint and size of what lay at each path of data."""
    found = []
    for key, version in facts.data_versions.items():
        if key in facts.data_sizes:
            files, size_bytes = facts.data_sizes[key]
            what = words("one_file") if files == 1 else words("n_files", n=words.number(files))
            version = f"{version} ({what}, {words.size(size_bytes)})"
        found.append((key, version))
    return found


def package_texts(packages: Mapping[str, str]) -> Sequence[str]:
    """`numpy 2.1.0`, the first 400."""
    return [short(f"{name} {version}") for name, version in list(packages.items())[:400]]


def short(text: str) -> str:
    """At most 300 characters of a text."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
