"""Which cells a notebook about some runs has: few, with ids and plain calls, to be run again and changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from runyard.drawing import cleaned

_MOST_METRICS = 6
_MOST_WITH_ERRORS = 3


class Kind(StrEnum):
    """What a notebook asks."""

    ALL = "all"
    COMPARE = "compare"  # settings and metrics
    ERRORS = "errors"  # what an evaluation answered: what is taken for what, and the worst errors


@dataclass(frozen=True)
class Cell:
    """A piece of Markdown, or of Python."""

    kind: Literal["markdown", "code"]
    text: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is known of the runs before the notebook asks for them.

    Attributes:
        ids: in the order in which they are shown.
        metrics: the most important first.
        with_media: ids of the runs that showed something.
        with_predictions: ids of those that kept answers of an evaluation.
        has_frames: whether pandas or polars is there, so that `frame()` works.
    """

    project: str
    ids: Sequence[str]
    metrics: Sequence[str]
    with_media: Sequence[str] = ()
    with_predictions: Sequence[str] = ()
    has_frames: bool = True
    names: Sequence[str] = field(default=())


def cells_about(subject: Subject, kind: Kind = Kind.ALL) -> list[Cell]:
    """The cells of a notebook about these runs, of one kind or of all."""
    is_one = len(subject.ids) == 1
    title = _markdown_text(subject.names[0] if is_one and subject.names else subject.project)
    about = "One run" if is_one else f"{len(subject.ids):,} runs"
    cells = [
        Cell(
            "markdown",
            f"# {title}\n\n{about} of {_markdown_text(subject.project)}. Run all cells for how they are now.",
        ),
        Cell("code", _loading(subject.ids)),
    ]
    if kind is not Kind.ERRORS:
        cells += _comparing(subject)
    if subject.with_predictions and kind is not Kind.COMPARE:
        cells += [Cell("markdown", "## Answers"), Cell("code", _answers(subject.with_predictions))]
        for run_id in subject.with_predictions[:_MOST_WITH_ERRORS]:
            cells += _errors(run_id, subject)
    if subject.with_media and kind is Kind.ALL:
        cells.append(Cell("markdown", "## Things to look at"))
        cells += [Cell("code", f"by_id[{_quoted(run_id)}].media()") for run_id in subject.with_media[:3]]
    return cells


def _comparing(subject: Subject) -> list[Cell]:
    is_one = len(subject.ids) == 1
    cells = [
        Cell("markdown", "## Settings"),
        Cell("code", "runs[0]" if is_one else "runs.config_diff()  # only what differs"),
    ]
    if is_one:
        cells.append(Cell("code", "runs[0].config"))
    if subject.metrics:
        cells.append(Cell("markdown", "## Metrics"))
        cells += [Cell("code", f"runs.series({_quoted(key)})") for key in subject.metrics[:_MOST_METRICS]]
        if subject.has_frames:
            cells.append(Cell("code", "table = runs.frame()\ntable"))
    return cells


def _errors(run_id: str, subject: Subject) -> list[Cell]:
    named = dict(zip(subject.ids, subject.names, strict=False))
    about = [f"### {_markdown_text(named.get(run_id, run_id))}"] if len(subject.with_predictions) > 1 else []
    answers = f"answers = by_id[{_quoted(run_id)}].predictions()"
    return [
        *(Cell("markdown", text) for text in about),
        Cell("code", f"{answers}\nrs.confusion_table(answers)"),
        Cell("code", "rs.error_gallery(answers, most=12)  # the worst first"),
    ]


def _loading(ids: Sequence[str]) -> str:
    listed = "[\n" + "".join(f"    {_quoted(run_id)},\n" for run_id in ids) + "]"
    return (
        f"import runyard\n\nids = {listed}\n"
        'runs = runyard.runs(f"id in {ids}", sort="created_at")\n'
        "by_id = {run.id: run for run in runs}\n"
        "runs"
    )


def _answers(ids: Sequence[str]) -> str:
    return (
        "import runyard.show as rs\n\n"
        f"for run_id in [{', '.join(map(_quoted, ids))}]:\n"
        "    answers = by_id[run_id].predictions()\n"
        "    if not answers.has_values:\n"
        "        share = rs.measure(answers).accuracy\n"
        '        print(f"{by_id[run_id].name}: {share:.1%} of {len(answers):,} samples are right")\n'
        "    else:\n"
        "        error = abs(answers.predictions - answers.targets).mean()\n"
        '        print(f"{by_id[run_id].name}: off by {error:.4g} in the mean of {len(answers):,} samples")'
    )


def _quoted(text: str) -> str:
    """A text as Python, in the quotes that formatters want."""
    return json.dumps(text)


def _markdown_text(text: str) -> str:
    """Text of users as Markdown that says the same: one line, no markup, no HTML."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()#+-!|<>$~&" else sign for sign in cleaned(text, 100))
