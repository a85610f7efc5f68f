"""Try it: a file of one's own, a picture of the camera, or one of the samples."""

import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import streamlit as st

from runyard.apps.show.overlay import BOXES, MAPS, has_overlay
from runyard.apps.show.plain import block, plain
from runyard.apps.show.stage import Inference, Stage
from runyard.apps.show.trying import Trial, trials
from runyard.serve.pictures import guard_pictures

_MOST_AT_ONCE = 24
_MOST_SAMPLES = 500
_TRUTHS = ("labels.csv", "boxes.csv")
_SUFFIX = 12  # characters of a file's ending that are kept
_HIDDEN = {*MAPS, BOXES}


def show(stage: Stage) -> None:
    """The whole page."""
    words = stage.words
    st.header(words("try"))
    st.caption(words("try_intro"))
    model_folder = stage.source.model(stage.subject.facts.id) if stage.inference else None
    if model_folder is None or stage.inference is None:
        st.info(words("no_model"))
        return
    inputs = _inputs(stage, stage.inference)
    if not inputs:
        st.caption(words("nothing_chosen"))
        return
    with st.spinner(words("computing")):  # the first time the model is loaded, which may take long
        model, lock = loaded_model(str(model_folder), stage.inference.load)
        with lock:  # one model for all who look at the page
            found = [(trial, truth) for *named, truth in inputs for trial in _tried(model, named, stage)]
    strength = 0.5
    if any(has_overlay(trial.answer) for trial, _ in found):
        strength = st.slider(words("strength"), 0.0, 1.0, 0.5, key="strength")
    for trial, truth in found:
        _show(trial, truth, strength, stage)


def _tried(model: Any, named: Sequence[Any], stage: Stage) -> list[Trial]:
    """The answer to a name and its input; none if the model cannot take it, which the page tells."""
    assert stage.inference is not None  # or nothing could be chosen
    name, value = named
    try:
        return trials(model, stage.inference.predict, [(name, value)])
    except Exception as problem:  # models raise whatever they like at an input that they cannot take
        st.error(stage.words("unanswered", name=plain(name), problem=plain(problem)))
        return []


@st.cache_resource(max_entries=2, show_spinner=False)
def loaded_model(folder: str, _load: Any) -> tuple[Any, Lock]:
    """The model in a folder, loaded once for all sessions: on the GPU if there is one, else on the CPU."""
    if _has_gpu():
        try:
            return _load(Path(folder), "cuda"), Lock()
        except RuntimeError:  # it is full, or none that this PyTorch knows
            pass
    return _load(Path(folder), "cpu"), Lock()


def _has_gpu() -> bool:
    torch = sys.modules.get("torch")  # the project's code has imported it, or its models need none
    return bool(torch is not None and torch.cuda.is_available())


def _inputs(stage: Stage, inference: Inference) -> list[tuple[str, Any, str]]:
    """Name, input and truth (if it is known) of all that was chosen."""
    words, samples = stage.words, _samples(stage.settings.samples)
    chosen: list[tuple[str, Path, str]] = []
    left, right = st.columns(2)
    with left:
        uploads = st.file_uploader(words("upload"), accept_multiple_files=True, key="upload")
    with right:
        names = st.multiselect(words("samples"), list(samples), key="samples", placeholder=words("choose"))
        photo = st.camera_input(words("camera"), key="photo") if st.toggle(words("camera"), key="camera") else None
    chosen += [(name, samples[name][0], samples[name][1]) for name in names]
    found: list[tuple[str, Any, str]] = []
    files = [*(uploads or []), *([photo] if photo else [])]
    if len(files) + len(chosen) > _MOST_AT_ONCE:
        st.caption(words("first_of", shown=_MOST_AT_ONCE, n=len(files) + len(chosen)))
    guard_pictures()
    with tempfile.TemporaryDirectory(prefix="runyard-try-") as scratch:
        for number, upload in enumerate(files[:_MOST_AT_ONCE]):
            path = Path(scratch) / f"{number}{_suffix(upload.name)}"
            path.write_bytes(upload.getvalue())
            chosen.append((upload.name, path, ""))
        for name, path, truth in chosen[:_MOST_AT_ONCE]:
            try:
                found += [(name, value, truth) for _, value in _read(inference, path)]
            except Exception as problem:  # decoders raise whatever they like at files that are none of theirs
                told = str(problem).replace(str(path), name)
                st.error(words("unreadable", name=plain(name), problem=plain(told)))
    return found[:_MOST_AT_ONCE]  # a table may hold thousands of rows


def _read(inference: Inference, path: Path) -> Any:  # pairs of a name and whatever the project takes
    if inference.read is None:
        return [(path.name, path)]
    return inference.read(path)


def _suffix(name: str) -> str:
    """The ending of an upload's name; the name itself never becomes a path."""
    suffix = Path(name.replace("\\", "/")).suffix
    return suffix if suffix[1:].isalnum() and len(suffix) <= _SUFFIX else ""


def _samples(folder: Path | None) -> dict[str, tuple[Path, str]]:
    """The files of the samples' folder by name, each with its truth if labels.csv or boxes.csv tells it."""
    if folder is None or not folder.is_dir():
        return {}
    labels: dict[str, str] = {}
    tables = [folder / name for name in _TRUTHS if (folder / name).is_file()]
    for table in tables:
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):  # boxes.csv has a line for each box
                name, label = row.get("file") or "", row.get("label") or ""
                labels[name] = ", ".join(filter(None, [labels.get(name, ""), label]))
    files = sorted(
        path for path in folder.iterdir() if path.is_file() and path not in tables and path.name[0] not in "._"
    )
    return {path.name: (path, labels.get(path.name, "")) for path in files[:_MOST_SAMPLES]}


def _show(trial: Trial, truth: str, strength: float, stage: Stage) -> None:
    words = stage.words
    with st.container(border=True):
        left, right = st.columns([1, 2])
        picture = trial.overlaid(strength)
        if picture is not None:
            left.image(picture, width="stretch")
        right.html(block("div", trial.name, "opacity:.6;font-size:13px;overflow-wrap:anywhere"))
        facts = [(name, _text(value, stage)) for name, value in trial.answer.items() if name not in _HIDDEN]
        if truth:
            facts.append((words("truth"), truth))
        right.html(
            "<div style='display:flex;flex-wrap:wrap;gap:8px 32px'>"
            + "".join(
                "<div>"
                + block("div", name, "font-size:13px;opacity:.65")
                + block("div", text, "font-size:24px;font-weight:600;overflow-wrap:anywhere")
                + "</div>"
                for name, text in facts
            )
            + "</div>"
        )
        right.caption(words("took", ms=words.number(trial.ms)))


def _text(value: Any, stage: Stage) -> str:
    plain_value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain_value, float):
        return stage.words.number(plain_value)
    if isinstance(plain_value, list | tuple):
        between = "; " if any(isinstance(each, float) for each in plain_value) else ", "  # German numbers hold a comma
        shown = between.join(_text(each, stage) for each in plain_value[:12])
        return f"{shown}{between}…" if len(plain_value) > 12 else shown or "–"
    return str(plain_value)
