"""Old and new: two models on the same samples, only where they differ."""

import streamlit as st

from runyard.apps.evaluation import Difference
from runyard.apps.report.pictures import uri_of
from runyard.apps.report.sections import comparison, framed_picture
from runyard.apps.show.plain import block, plain, shown_picture
from runyard.apps.show.stage import Stage
from runyard.drawing import colour
from runyard.tracking.predictions import Predictions

_COLUMNS = 4
_MOST = 24
_INKS = {"right": "line-2", "first": "c1", "second": "c2", "wrong": "ink-3"}


def show(stage: Stage, predictions: Predictions) -> None:
    """The whole page."""
    words = stage.words
    st.header(words("compare"))
    st.caption(words("compare_intro"))
    if stage.second is None:
        st.info(words("no_second"))
        return
    others = stage.seen(stage.second)
    if others is None:
        st.info(words("no_predictions", run=plain(stage.second.facts.name)))
        return
    if others.task is not predictions.task:
        st.info(words("not_comparable"))
        return
    found, told = comparison((stage.subject.facts, predictions), (stage.second.facts, others), words)
    st.html(block("p", told["verdict"], "font-size:18px;line-height:1.5;max-width:70ch"))
    if not found.common:
        return
    st.html(_bar(told["parts"], stage))
    st.caption(" · ".join(filter(None, [told["common"], told["relabelled"]])))
    for start in range(0, min(len(found.differences), _MOST), _COLUMNS):
        row = found.differences[start : start + _COLUMNS]
        for column, each in zip(st.columns(_COLUMNS), row, strict=False):
            with column:
                _card(each, predictions, others, stage)
    if len(found.differences) > _MOST:
        n = words.number(len(found.differences))
        st.caption(words("first_of", shown=words.number(_MOST), n=n))


def _bar(parts: list[dict[str, object]], stage: Stage) -> str:
    bar = "".join(
        f'<div style="flex:{part["count"]} 0 0;background:{colour(_INKS[str(part["kind"])])};border-radius:2px"></div>'
        for part in parts
    )
    legend = "".join(
        '<div><span style="display:inline-block;width:9px;height:9px;margin-right:8px;border-radius:2px;'
        f'background:{colour(_INKS[str(part["kind"])])}"></span>'
        + block("b", stage.words.number(int(str(part["count"]))))
        + block("span", f" {part['label']}")
        + "</div>"
        for part in parts
    )
    return (
        f'<div style="display:flex;gap:2px;height:22px;margin-bottom:10px">{bar}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:4px 28px;font-variant-numeric:tabular-nums">{legend}</div>'
    )


def _card(each: Difference, predictions: Predictions, others: Predictions, stage: Stage) -> None:
    words = stage.words
    assert stage.second is not None  # else nothing is compared
    thumbnail = predictions.thumbnails.get(each.first) or others.thumbnails.get(each.second)
    picture = framed_picture(predictions, each.first, uri_of(thumbnail), with_answers=False) or shown_picture(thumbnail)
    if picture is not None:
        st.image(picture, width="stretch")
    rows = [
        (words("truth"), each.target, "ink"),
        (stage.subject.facts.name, each.first_answer, "bad" if each.is_second_better else "ok"),
        (stage.second.facts.name, each.second_answer, "ok" if each.is_second_better else "bad"),
    ]
    st.html(
        "".join(
            '<div style="display:flex;justify-content:space-between;gap:8px;font-size:14px">'
            + block("span", name, "opacity:.6;overflow:hidden;text-overflow:ellipsis;white-space:nowrap")
            + block("b", answer, f"color:{colour(ink)}")
            + "</div>"
            for name, answer, ink in rows
        )
        + block("div", each.id, "opacity:.6;font-size:13px;overflow-wrap:anywhere")
    )
