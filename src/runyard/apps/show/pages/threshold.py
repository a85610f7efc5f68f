"""Where to draw the line: a slider, and what it costs in the customer's words."""

from dataclasses import replace
from typing import Any

import streamlit as st

from runyard.apps.evaluation import Costs, Decision
from runyard.apps.report import threshold as lines
from runyard.apps.report.sections import short
from runyard.apps.show.pages import tolerance
from runyard.apps.show.plain import block, plain
from runyard.apps.show.stage import CHOSEN, Stage
from runyard.drawing import colour
from runyard.tracking.predictions import Predictions


def show(stage: Stage, predictions: Predictions) -> None:
    """The whole page."""
    words = stage.words
    st.header(words("threshold"))
    if predictions.has_values:
        tolerance.show(stage, predictions)
        return
    st.caption(words("threshold_intro"))
    numbers = lines.wanted_classes(predictions, stage.settings.positive)
    if not numbers:
        st.info(words("no_scores"))
        return
    kept: dict[str, Any] = st.session_state.setdefault(CHOSEN, {})
    left, right = st.columns([1, 1], gap="large")
    with left:
        number = _wanted(predictions, numbers, kept, stage)
        line = lines.line_of(predictions, number, stage.settings.costs, share=stage.settings.share)
        low, high = line.scored.range
        places = st.empty()  # the slider comes below, and its button must come before it
        costs, share = _prices(line.label, line.at.share, kept, stage)
        line = lines.line_of(predictions, number, costs, share=share)
        with places.container():
            if st.button(words("use_cheapest"), key="use-cheapest"):
                st.session_state["line"] = line.best.threshold
            if "line" not in st.session_state:
                st.session_state["line"] = min(max(kept.get("threshold", line.at.threshold), low), high)
            at = st.slider(words("line"), low, high, step=0.001, format="%.3f", key="line")
    if predictions.detection is not None:
        st.caption(words("image_note", label=plain(line.label)))
    kept |= {"label": line.label, "threshold": at, "costs": costs, "share": share}
    line = replace(line, at=line.scored.at(at, share=share))
    with left:
        st.html(_counts(line.at, line.best, costs, stage))
    with right:
        st.html(_headline(line.at, line.best, costs, stage))
        st.image(lines.cost_plot(line, costs, words), width="stretch")
        missed_name, alarm_name = lines.names(costs, words)
        at_all = (line.at.misses, line.at.hits + line.at.misses), (line.at.alarms, line.at.alarms + line.at.passed)
        for name, (k, n) in zip((missed_name, alarm_name), at_all, strict=True):
            st.caption(f"{plain(name)}: {lines.measured(k, n, words)}")
        st.caption(words("share_note", n=words.number(len(predictions))))


def _wanted(predictions: Predictions, numbers: list[int], kept: dict[str, Any], stage: Stage) -> int:
    labels = [predictions.labels[number] for number in numbers]
    if len(numbers) == 1:
        st.html(block("div", f"{stage.words('wanted')}: {labels[0]}", "font-weight:600"))
        return numbers[0]
    index = labels.index(kept["label"]) if kept.get("label") in labels else 0
    label = st.selectbox(stage.words("wanted"), labels, index=index, key="wanted")
    return numbers[labels.index(label)]


def _prices(label: str, share: float, kept: dict[str, Any], stage: Stage) -> tuple[Costs, float]:
    """What the customer says: the two costs, and how many of a thousand are wanted ones."""
    words, costs = stage.words, kept.get("costs", stage.settings.costs)
    missed_name, alarm_name = lines.names(costs, words)
    things = lines.things(costs, words)
    before = kept.get("share", share) if kept.get("label") in (None, label) else share
    columns = st.columns(3, vertical_alignment="bottom")
    unit = f" ({costs.unit})" if costs.unit else ""
    missed = columns[0].number_input(
        plain(words("cost_of", name=short(missed_name)) + unit), min_value=0.0, value=costs.missed, key="missed"
    )
    alarm = columns[1].number_input(
        plain(words("cost_of", name=short(alarm_name)) + unit), min_value=0.0, value=costs.alarm, key="alarm"
    )
    count = columns[2].number_input(
        plain(words("share", label=short(label), per=words.number(costs.per), things=things)),
        min_value=0.0,
        max_value=float(costs.per),
        value=round(before * costs.per, 3),
        key=f"share-{label}",
    )
    return replace(costs, missed=missed, alarm=alarm), count / costs.per


def _headline(at: Decision, best: Decision, costs: Costs, stage: Stage) -> str:
    words = stage.words
    of_what = words("per_things", per=words.number(costs.per), things=lines.things(costs, words))
    cheapest = words(
        "cheapest_at",
        threshold=words.number(best.threshold, 3),
        cost=words.amount(best.cost(costs), costs.unit),
    )
    return (
        block("div", words.amount(at.cost(costs), costs.unit), "font-size:38px;font-weight:650;line-height:1.2")
        + block("div", f"{words('cost')} {of_what}", "opacity:.7")
        + block("div", cheapest, f"margin-top:4px;color:{colour('ok')};font-size:14px")
    )


def _counts(at: Decision, best: Decision, costs: Costs, stage: Stage) -> str:
    """A bar of all things, and a table of what becomes of them."""
    words, per = stage.words, costs.per
    missed_name, alarm_name = lines.names(costs, words)
    rows = [
        (words("passed"), "line-2", at.passed_of(per), best.passed_of(per)),
        (alarm_name, "c2", at.alarms_of(per), best.alarms_of(per)),
        (missed_name, "bad", at.misses_of(per), best.misses_of(per)),
        (words("hit"), "ok", at.hits_of(per), best.hits_of(per)),
    ]
    bar = "".join(
        f'<div style="flex:{value:.6f} 0 0;background:{colour(ink)};border-radius:2px"></div>'
        for _, ink, value, _ in rows
    )
    head = words("of_things", per=words.number(per), things=lines.things(costs, words))
    cell = f"padding:6px 0;border-top:1px solid {colour('line')}"
    body = "".join(
        f'<tr><td style="{cell}"><span style="display:inline-block;width:9px;height:9px;margin-right:8px;'
        f'border-radius:2px;background:{colour(ink)}"></span>{block("span", name)}</td>'
        + block("td", words.number(value, 1), f"{cell};text-align:right;font-weight:600")
        + block("td", words.number(other, 1), f"{cell};text-align:right;opacity:.65")
        + "</tr>"
        for name, ink, value, other in rows
    )
    return (
        f'<div style="display:flex;gap:2px;height:14px;margin:4px 0 12px">{bar}</div>'
        '<table style="width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums"><tr>'
        + block("td", head, "opacity:.6;font-size:13px")
        + block("td", words("chosen"), "opacity:.6;font-size:13px;text-align:right")
        + block("td", words("cheapest"), "opacity:.6;font-size:13px;text-align:right")
        + f"</tr>{body}</table>"
    )
