"""Take it with you: the report, and the answers as a table."""

import csv
import io
from dataclasses import replace
from typing import Any

import streamlit as st

from runyard.apps.facts import Subject
from runyard.apps.report import Options, build_report
from runyard.apps.report.threshold import wanted_classes
from runyard.apps.show.stage import CHOSEN, Stage
from runyard.formulas import guarded
from runyard.tracking.predictions import Predictions


def show(stage: Stage) -> None:
    """The whole page."""
    words = stage.words
    st.header(words("report"))
    st.caption(words("report_intro"))
    is_redacted = st.checkbox(words("redact"), key="redact")
    subject, second = _seen(stage.subject, stage), _seen(stage.second, stage) if stage.second else None
    report = build_report([subject], options(stage, is_redacted=is_redacted), second=second)
    name = f"report-{subject.facts.project}-{subject.facts.id}.html"
    st.download_button(
        words("download"), report.html, file_name=name, mime="text/html", type="primary", key="download-report"
    )
    st.caption(f"{name}, {words.number(len(report.html) / 1e6, 1)} MB")
    if subject.predictions is not None:
        st.download_button(
            words("as_table"),
            table(subject.predictions),
            file_name=f"answers-{subject.facts.id}.csv",
            mime="text/csv",
            key="download-table",
        )


def options(stage: Stage, *, is_redacted: bool) -> Options:
    """The report with the threshold and the costs that were chosen on their page."""
    settings = stage.settings
    kept: dict[str, Any] = st.session_state.get(CHOSEN, {})
    positive = settings.positive or kept.get("label")
    predictions = stage.seen(stage.subject)
    is_known = (
        predictions is not None
        and positive in predictions.labels
        and predictions.labels.index(positive) in wanted_classes(predictions, None)
    )
    return Options(
        title=settings.title,
        customer=settings.customer,
        words=stage.words,
        costs=kept.get("costs", settings.costs),
        positive=positive if is_known or settings.positive else None,
        threshold=kept.get("threshold"),
        share=kept.get("share", settings.share),
        is_redacted=is_redacted,
    )


def table(predictions: Predictions) -> str:
    """All answers as CSV; no text of it is a formula."""
    columns = predictions.frame()
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return out.getvalue()


def _cell(value: Any) -> Any:  # a number stays one
    return guarded(value) if isinstance(value, str) else value


def _seen(subject: Subject, stage: Stage) -> Subject:
    return replace(subject, predictions=stage.seen(subject))
