"""What stands around the pages: title, choice of the page, and the runs that are shown, read once for all sessions."""

import streamlit as st

from runyard.apps.evaluation import Doubts
from runyard.apps.facts import Subject
from runyard.apps.show.app import App
from runyard.apps.show.pages import comparing, errors, reporting, threshold, trying
from runyard.apps.show.plain import block, plain
from runyard.apps.show.sources import Source
from runyard.apps.show.stage import Stage
from runyard.apps.words import Language, Words
from runyard.drawing import colour
from runyard.errors import RunyardError

_NAMES = {Language.EN: "English", Language.DE: "Deutsch"}


def show(app: App) -> None:
    """The frame, and in it the page that is chosen."""
    text, second_text, code = app.chosen()
    st.set_page_config(page_title=app.settings.title or "Runyard", layout="wide")
    try:
        subject = loaded_subject(app.source, text)
        second = loaded_subject(app.source, second_text) if second_text else None
        _frame(app, subject, second, Language(code))
    except RunyardError as problem:
        st.error(plain(problem))


@st.cache_resource(max_entries=8, show_spinner=False)
def loaded_subject(source: Source, text: str) -> Subject:
    """A run and its answers. Both are frozen, so all sessions may look at one copy."""
    return source.subject(text)


def _frame(app: App, subject: Subject, second: Subject | None, default: Language) -> None:
    with st.sidebar:
        chosen = st.session_state.get("language", default)
        words = Words(chosen)
        st.html(_title(app, subject, words))
        page = st.radio(words("page"), app.pages, format_func=words, key="page", label_visibility="collapsed")
        st.divider()
        _runs(subject, second, words)
        is_without = _without_doubtful(app.doubts, subject, words)
        st.selectbox(
            words("language"),
            list(Language),
            index=list(Language).index(chosen),
            format_func=lambda each: _NAMES[each],
            key="language",
        )
    stage = Stage(
        words=words,
        settings=app.settings,
        subject=subject,
        second=second,
        doubts=app.doubts,
        source=app.source,
        inference=app.inference,
        is_without_doubtful=is_without,
    )
    try:
        _show_page(page, stage)
    except RunyardError as problem:
        st.error(words("problem", problem=plain(problem)))


def _title(app: App, subject: Subject, words: Words) -> str:
    title, customer = app.settings.title or subject.facts.project, app.settings.customer
    head = block("div", title, "font-size:20px;font-weight:650;line-height:1.25")
    return head + (block("div", words("for_customer", customer=customer), "opacity:.65") if customer else "")


def _show_page(page: str, stage: Stage) -> None:
    if page == "try":
        trying.show(stage)
        return
    if page == "report":
        reporting.show(stage)
        return
    predictions = stage.seen(stage.subject)
    if predictions is None or not len(predictions):
        st.header(stage.words(page))
        st.info(stage.words("no_predictions", run=plain(stage.subject.facts.name)))
        return
    {"threshold": threshold.show, "errors": errors.show, "compare": comparing.show}[page](stage, predictions)


def _runs(subject: Subject, second: Subject | None, words: Words) -> None:
    faint = f"color:{colour('ink-3')};font-size:12px"
    names = [(words("run"), subject)] + ([(words("compared_with", name=""), second)] if second else [])
    st.html(
        "".join(
            block("div", title, faint)
            + block("div", each.facts.name, "overflow-wrap:anywhere")
            + block(
                "div", each.facts.id, f"margin-bottom:8px;color:{colour('ink-3')};font-size:12px;font-family:monospace"
            )
            for title, each in names
        )
    )


def _without_doubtful(doubts: Doubts, subject: Subject, words: Words) -> bool:
    """Whether samples with a doubtful label are left out on all pages; asked only where there are some."""
    known = subject.predictions.numbers.keys() & doubts.all().keys() if subject.predictions else set()
    if not known:
        return False
    return st.checkbox(words("without_doubtful", n=words.number(len(known))), key="without-doubtful")
