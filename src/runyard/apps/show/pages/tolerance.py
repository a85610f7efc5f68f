"""Where answers are numbers: how far off one may be, and what it costs when it is further off."""

from dataclasses import replace
from typing import Any

import streamlit as st

from runyard.apps.evaluation import Distances
from runyard.apps.report import sections
from runyard.apps.report import threshold as lines
from runyard.apps.show.plain import block, plain
from runyard.apps.show.stage import CHOSEN, Stage
from runyard.apps.words import Words
from runyard.drawing import colour
from runyard.tracking.predictions import Predictions, Task

_STEPS = 200  # of the slider


def show(stage: Stage, predictions: Predictions) -> None:
    """What stands below the header."""
    words = stage.words
    st.caption(words("distance_intro"))
    kept: dict[str, Any] = st.session_state.setdefault(CHOSEN, {})
    found = Distances(predictions)
    costs = kept.get("costs", stage.settings.costs)
    left, right = st.columns([1, 1], gap="large")
    with left:
        high = found.largest or 1.0
        at = st.slider(
            words("tolerance"),
            0.0,
            high,
            min(kept.get("threshold", found.tolerance_for(0.9)), high),
            step=high / _STEPS,
            format="%.4g",
            key="tolerance",
        )
        names = (
            words.own(costs.missed_name) or words("too_low"),
            words.own(costs.alarm_name) or words("too_high"),
        )
        unit = f" ({costs.unit})" if costs.unit else ""
        columns = st.columns(2)
        low_price, high_price = (
            column.number_input(plain(words("cost_of", name=name) + unit), min_value=0.0, value=price, key=key)
            for column, name, price, key in zip(
                columns, names, (costs.missed, costs.alarm), ("missed", "alarm"), strict=True
            )
        )
        costs = replace(costs, missed=low_price, alarm=high_price)
        kept |= {"threshold": at, "costs": costs}
        told = sections.distances(found, costs, words, tolerance=at)
        st.html(_counts(told["counts"], words))
    with right:
        of_what = words("per_things", per=words.number(costs.per), things=lines.things(costs, words))
        st.html(
            block("div", told["cost"], "font-size:38px;font-weight:650;line-height:1.2")
            + block("div", f"{words('cost')} {of_what}", "opacity:.7")
        )
        st.image(told["plot"], width="stretch")
        for share, value in told["shares"]:
            st.caption(f"{share}: {words('off_by')} {value}")
    if predictions.task is Task.FORECAST:
        st.caption(words("over_time"))
        st.image(sections.forecast_plot(predictions, words), width="stretch")
    else:
        st.image(sections.value_plot(predictions, words), width="content")
    st.caption(words("measured_on", n=words.number(len(predictions))))


def _counts(counts: list[dict[str, Any]], words: Words) -> str:
    bar = "".join(
        f'<div style="flex:{each["count"]:.6f} 0 0;background:{colour(each["ink"])};border-radius:2px"></div>'
        for each in counts
    )
    rows = "".join(
        f'<tr><td style="padding:6px 0"><span style="display:inline-block;width:9px;height:9px;margin-right:8px;'
        f'border-radius:2px;background:{colour(each["ink"])}"></span>{block("span", each["label"])}</td>'
        + block("td", words.number(each["count"], 1), "text-align:right;font-weight:600")
        + "</tr>"
        for each in counts
    )
    return (
        f'<div style="display:flex;gap:2px;height:14px;margin:4px 0 12px">{bar}</div>'
        f'<table style="width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums">{rows}</table>'
    )
