"""From runs to one HTML file.

Nothing in the file refers to anything outside of it, and its own content security policy forbids that something does.
Texts of users are escaped by the template engine; what the script reads is JSON in which no markup can begin.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from runyard import __version__
from runyard.apps.evaluation import Costs, Distances, Measures, data_version, measure
from runyard.apps.facts import Subject
from runyard.apps.redaction import redacted, redacted_together
from runyard.apps.report import sections, threshold
from runyard.apps.report.pictures import ROOM_BYTES, Album
from runyard.apps.words import Words
from runyard.drawing import tokens_css
from runyard.tracking.predictions import Predictions, Task

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a report says and leaves out.

    Attributes:
        title: at the top; the project's name if empty.
        positive: the class that is looked for; a report of two classes looks for the second one.
        threshold: where it stands at first; 0.5 if None.
        share: of wanted ones on the customer's line, 0 to 1; that of the evaluation if None.
        is_redacted: without paths, users and hosts.
    """

    title: str = ""
    customer: str = ""
    words: Words = field(default_factory=Words)
    costs: Costs = field(default_factory=Costs)
    positive: str | None = None
    threshold: float | None = None
    share: float | None = None
    is_redacted: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, kw_only=True)
class Report:
    """The file's content, and how many pictures found no room in it."""

    html: str
    pictures_left_out: int


def build_report(subjects: Sequence[Subject], options: Options, *, second: Subject | None = None) -> Report:
    """One section a run; the first is compared with `second`.

    Raises:
        UsageError: the class to look for is none, or two runs cannot be compared.
    """
    album = Album(ROOM_BYTES)
    shown = [redacted(subject) for subject in subjects] if options.is_redacted else list(subjects)
    runs = [_run(subject, place, album, options, n_runs=len(shown)) for place, subject in enumerate(shown)]
    if second is not None:
        runs[0]["comparison"] = _comparison(subjects[0], second, album, options)
    script = (_HERE / "script.js").read_text(encoding="utf-8")
    title = options.title or shown[0].facts.project
    page = _environment().get_template("page.html.jinja")
    html = page.render(
        words=options.words,
        options=options,
        title=title,
        runs=runs,
        rows=[(run["facts"], run["tiles"]) for run in runs],
        tokens=Markup(tokens_css()),  # our own files
        style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        date=options.words.date(options.now),
        version=__version__,
        left_out=album.left_out,
    )
    return Report(html=html, pictures_left_out=album.left_out)


def _run(subject: Subject, place: int, album: Album, options: Options, *, n_runs: int) -> dict[str, Any]:
    words, facts, predictions = options.words, subject.facts, subject.predictions
    measures = measure(predictions) if predictions is not None else Measures(count=0)
    found: dict[str, Any] = {
        "anchor": f"run-{place + 1}",
        "facts": facts,
        "tiles": sections.tiles(measures, words) if predictions is not None else [],
        "comparison": None,
        "threshold": None,
        "confusion": None,
        "rates": [],
        "value_plot": None,
        "forecast_plot": None,
        "distances": None,
        "frames_note": "",
        "image_note": "",
        "gallery": [],
        "n_errors": measures.errors,
        "n": words.number(measures.count),
        "predictions": predictions,
        "has_pictures": predictions is not None and bool(predictions.thumbnails),
        "charts": sections.training_plots(facts.curves, words),
        "metrics": sections.metric_rows(facts.metrics, words),
        "settings": sections.setting_rows(facts),
        "origin": sections.origin(facts, data_version(predictions) if predictions is not None else "", words),
        "packages": sections.package_texts(facts.packages),
    }
    if predictions is None or not len(predictions):
        return found
    found["gallery"] = sections.gallery(predictions, album, words)
    if predictions.has_values:
        return found | _values(predictions, options)
    if predictions.detection is not None:
        found["frames_note"] = words("frames_note")
    found["confusion"] = sections.confusion(predictions, measures, words)
    return found | _threshold(predictions, options, n_runs=n_runs)


def _values(predictions: Predictions, options: Options) -> dict[str, Any]:
    """Answers that are numbers: beside the truth, over time, and how far off they are."""
    words = options.words
    told = sections.distances(Distances(predictions), options.costs, words, tolerance=options.threshold)
    things = threshold.things(options.costs, words)
    is_forecast = predictions.task is Task.FORECAST
    return {
        "value_plot": Markup(sections.value_plot(predictions, words)),
        "forecast_plot": Markup(sections.forecast_plot(predictions, words)) if is_forecast else None,
        "distances": told
        | {
            "plot": Markup(told["plot"]),
            "of_things": words("of_things", per=words.number(options.costs.per), things=things),
        },
    }


def _threshold(predictions: Predictions, options: Options, *, n_runs: int) -> dict[str, Any]:
    """The threshold and the curves of the wanted class; nothing if no scores were kept."""
    words, costs = options.words, options.costs
    numbers = threshold.wanted_classes(predictions, options.positive)
    if not numbers:
        return {}
    lines = [
        threshold.line_of(predictions, number, costs, threshold=options.threshold, share=options.share)
        for number in numbers
    ]
    line = lines[0]
    missed_name, alarm_name = threshold.names(costs, words)
    data = threshold.script_data(lines, costs, words, n_runs=n_runs)
    is_thinned = max(len(line.scored.wanted), len(line.scored.others)) > data["most"]
    note = words("image_note", label=line.label) if predictions.detection is not None else ""
    return {
        "image_note": note,
        "rates": [plot | {"svg": Markup(plot["svg"])} for plot in sections.rate_plots(line.scored, words)],
        "threshold": {
            "line": line,
            "labels": [each.label for each in lines],
            "missed_name": missed_name,
            "alarm_name": alarm_name,
            "costs": costs,
            "things": threshold.things(costs, words),
            "plot": Markup(threshold.cost_plot(line, costs, words)),
            "data": _json(data),
            "measured_missed": threshold.measured(line.at.misses, line.at.hits + line.at.misses, words),
            "measured_alarm": threshold.measured(line.at.alarms, line.at.alarms + line.at.passed, words),
            "n": words.number(len(predictions)),
            "thinned_to": words.number(data["most"]) if is_thinned else "",
        },
    }


def _comparison(first: Subject, second: Subject, album: Album, options: Options) -> dict[str, Any] | None:
    """Compared as they are, shown redacted if need be: only then do the ids meet."""
    words = options.words
    if first.predictions is None or second.predictions is None:
        missing = first if first.predictions is None else second
        return {"problem": words("no_predictions", run=missing.facts.name).replace("`", "")}
    if first.predictions.task is not second.predictions.task:
        return {"problem": words("not_comparable")}
    one, other = redacted_together([first, second]) if options.is_redacted else (first, second)
    found, told = sections.comparison((one.facts, first.predictions), (other.facts, second.predictions), words)
    assert one.predictions is not None  # as they were before redaction
    told["cards"] = [
        {
            "id": one.predictions.ids[each.first],
            "picture": (
                uri := album.uri(first.predictions.thumbnails.get(each.first))
                or album.uri(second.predictions.thumbnails.get(each.second))
            ),
            "svg": Markup(sections.framed_picture(first.predictions, each.first, uri, with_answers=False)),
            "target": each.target,
            "first": each.first_answer,
            "second": each.second_answer,
            "is_second_better": each.is_second_better,
        }
        for each in found.differences[: sections.MOST_DIFFERENCES]
    ]
    shown, n = len(told["cards"]), len(found.differences)
    told["remark"] = words("first_of", shown=words.number(shown), n=words.number(n)) if n > shown else ""
    return told


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _json(data: Any) -> Markup:
    """JSON that may stand in a page: no markup can begin in it."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
