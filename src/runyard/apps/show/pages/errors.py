"""What it gets wrong: the errors with their pictures, and a word against the label."""

from typing import cast, get_args

import streamlit as st

from runyard.apps.evaluation import Doubt, Doubts, GroupBy, Item, Order, errors
from runyard.apps.report.pictures import uri_of
from runyard.apps.report.sections import framed_picture
from runyard.apps.show.plain import block, plain, shown_picture
from runyard.apps.show.stage import Stage
from runyard.tracking.predictions import Predictions

_COLUMNS = 4
_AT_ONCE = 12
_PLACE = "gallery-place"
_GROUPINGS: dict[str, GroupBy | None] = {"label": "label", "confusion": "confusion", "nothing": None}


def show(stage: Stage, predictions: Predictions) -> None:
    """The whole page."""
    words = stage.words
    st.header(words("errors"))
    st.caption(words("errors_intro") if stage.settings.relabel else "")
    if predictions.detection is not None:
        st.caption(words("frames_note"))
    group_by, order = _choices(stage, predictions)
    groups = errors(predictions, order=order, group_by=group_by)
    known = stage.doubts.all()
    if stage.settings.relabel:
        _list_of_doubts(stage.doubts, known, stage)
    if not groups:
        st.success(words("no_errors", n=words.number(len(predictions))))
        return
    name = ""
    if len(groups) > 1:
        name = st.selectbox(
            words(
                "by_confusion" if group_by != "label" else "class" if predictions.detection is not None else "by_label"
            ),
            list(groups),
            format_func=lambda key: f"{key} ({words.number(len(groups[key]))})",
            key=f"group-{group_by}",
        )
    items = groups.get(name) or next(iter(groups.values()))
    shown = _page_of(items, (name, group_by, order), stage)
    for start in range(0, len(shown), _COLUMNS):
        for column, item in zip(st.columns(_COLUMNS), shown[start : start + _COLUMNS], strict=False):
            with column:
                _card(item, predictions, known.get(item.id), stage)


def _choices(stage: Stage, predictions: Predictions) -> tuple[GroupBy | None, Order]:
    words, settings = stage.words, stage.settings
    left, right = st.columns(2)
    group_by = None if predictions.has_values else settings.group_by
    if not predictions.has_values:
        chosen = left.selectbox(
            words("group"),
            list(_GROUPINGS),
            index=list(_GROUPINGS.values()).index(settings.group_by),
            format_func=lambda key: words(f"by_{key}"),
            key="group-by",
        )
        group_by = _GROUPINGS[chosen]
    orders = list(get_args(Order))
    order = right.selectbox(
        words("order"),
        orders,
        index=orders.index(settings.order),
        format_func=lambda key: words("by_id" if key == "id" else key),
        key="order",
    )
    return group_by, cast(Order, order)  # one of the options, which Streamlit's types forget


def _page_of(items: list[Item], what: object, stage: Stage) -> list[Item]:
    """Twelve of the items, and buttons for the others. Another choice begins at the front again."""
    words, state = stage.words, st.session_state
    if state.get(_PLACE, (None, 0))[0] != what:
        state[_PLACE] = (what, 0)
    start = state[_PLACE][1]
    if len(items) > _AT_ONCE:

        def turn(by: int) -> None:
            state[_PLACE] = (what, min(max(start + by, 0), len(items) - 1))

        left, middle, right = st.columns([1, 3, 1])
        left.button(words("previous"), on_click=turn, args=(-_AT_ONCE,), disabled=start == 0, key="previous")
        end = min(start + _AT_ONCE, len(items))
        middle.caption(f"{words.number(start + 1)} – {words.number(end)} / {words.number(len(items))}")
        right.button(words("next"), on_click=turn, args=(_AT_ONCE,), disabled=end == len(items), key="next")
    return items[start : start + _AT_ONCE]


def _card(item: Item, predictions: Predictions, doubt: Doubt | None, stage: Stage) -> None:
    words = stage.words
    picture = framed_picture(predictions, item.number, uri_of(item.thumbnail)) or shown_picture(item.thumbnail)
    if picture is not None:
        st.image(picture, width="stretch")
    elif predictions.thumbnails:
        st.html(block("div", words("no_picture"), "padding:40px 0;text-align:center;background:#f0f0ed;opacity:.6"))
    said = words("should_be" if predictions.has_values else "is_was", target=item.target, prediction=item.prediction)
    sure = words("sure", percent=words.percent(item.score, 0)) + " · " if item.score is not None else ""
    st.html(
        block("div", said, "font-weight:600;line-height:1.3;overflow-wrap:anywhere")
        + block("div", f"{sure}{item.id}", "opacity:.6;font-size:13px;overflow-wrap:anywhere")
    )
    if item.features:
        told = ", ".join(f"{name} {value}" for name, value in item.features.items())
        st.html(block("div", told, "opacity:.75;font-size:13px;line-height:1.4"))
    if stage.settings.relabel:
        _relabel(item, predictions, doubt, stage)


def _relabel(item: Item, predictions: Predictions, doubt: Doubt | None, stage: Stage) -> None:
    words, key = stage.words, f"wrong-{item.id}"
    st.session_state[key] = doubt is not None  # the file is the truth: a colleague may have said so, too

    def told() -> None:
        if st.session_state[key]:
            _add(item, "", stage)
        else:
            stage.doubts.remove(item.id)

    st.checkbox(words("label_wrong"), key=key, on_change=told)
    if doubt is None or not predictions.is_classification:
        return
    right_key = f"right-{item.id}"
    options = ["", *(label for label in predictions.labels if label != item.target)]
    st.session_state[right_key] = doubt.right_label if doubt.right_label in options else ""
    st.selectbox(
        words("right_label"),
        options,
        format_func=lambda label: label or words("unknown"),
        key=right_key,
        on_change=lambda: _add(item, st.session_state[right_key], stage),
    )


def _add(item: Item, right_label: str, stage: Stage) -> None:
    stage.doubts.add(
        Doubt(
            id=item.id,
            path=item.path,
            label=item.target,
            answer=item.prediction,
            right_label=right_label,
            run=stage.subject.facts.id,
        )
    )


def _list_of_doubts(doubts: Doubts, known: dict[str, Doubt], stage: Stage) -> None:
    if not known:
        return
    words = stage.words
    left, right = st.columns([2, 1])
    kept_in = words("kept_in", file=plain(doubts.path.name))
    left.caption(f"{words('doubts', n=words.number(len(known)))}, {kept_in}")
    right.download_button(
        words("download_doubts"), doubts.csv(), file_name=doubts.path.name, mime="text/csv", key="download-doubts"
    )
