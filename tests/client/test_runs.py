import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runyard
from runyard.client.runs import Runs
from runyard.errors import MissingExtra, NotFound, QueryError, RunFinished
from runyard.journal import MAIN, JournalWriter
from runyard.journal.events import Media
from runyard.records import RunState
from tests.cli.builders import HOSTILE, Yard


def two_runs(yard: Yard) -> None:
    yard.run(name="a", config={"optim": {"lr": 0.1}, "depth": 3}, metrics={"loss": [3.0, 1.0, 2.0]}, tags=("t",))
    yard.run(name="b", config={"optim": {"lr": 0.2}, "depth": 3}, metrics={"loss": [5.0], "f1": [0.5]})


def test_runs_behave_like_a_sequence(yard: Yard) -> None:
    two_runs(yard)

    runs = runyard.runs(sort="created_at")

    assert len(runs) == 2
    assert [run.name for run in runs] == ["a", "b"]
    assert runs[-1].name == "b"
    assert [run.name for run in runs[1:]] == ["b"]
    with pytest.raises(IndexError):
        runs[2]


def test_a_query_a_project_and_a_limit_choose(yard: Yard) -> None:
    two_runs(yard)
    yard.run(project="seam", config={"optim": {"lr": 0.1}})

    assert [run.name for run in runyard.runs("config.optim.lr < 0.15", project="weld")] == ["a"]
    assert len(runyard.runs(limit=2)) == 2
    with pytest.raises(QueryError):
        runyard.runs("config.optim.lr <")


def test_a_run_tells_what_it_is(yard: Yard) -> None:
    two_runs(yard)
    run = runyard.runs('name == "a"')[0]

    assert run.state is RunState.COMPLETED
    assert run.config == {"optim": {"lr": 0.1}, "depth": 3}
    assert run.summary["loss"].min == 1.0
    assert run.summary["loss"].min_step == 1
    assert run.tags == ("t",)
    assert run.duration_s == 60
    assert run.spec.id == run.id


def test_a_series_is_arrays_of_one_length(yard: Yard) -> None:
    two_runs(yard)

    series = runyard.runs('name == "a"')[0].series("loss")

    assert series.steps.tolist() == [0, 1, 2]
    assert series.values.tolist() == [3.0, 1.0, 2.0]
    assert np.diff(series.times).tolist() == [10**9, 10**9]
    with pytest.raises(NotFound, match="loss"):
        runyard.runs()[0].series("los")


def test_one_series_of_many_runs_is_by_id_and_leaves_out_those_that_lack_it(yard: Yard) -> None:
    two_runs(yard)
    runs = runyard.runs(sort="created_at")

    assert {key: series.values.tolist() for key, series in runs.series("loss").items()} == {
        runs[0].id: [3.0, 1.0, 2.0],
        runs[1].id: [5.0],
    }
    assert list(runs.series("f1")) == [runs[1].id]


def test_the_config_diff_holds_only_what_differs(yard: Yard) -> None:
    two_runs(yard)
    runs = runyard.runs(sort="created_at")

    assert runs.config_diff() == {"optim.lr": {runs[0].id: 0.1, runs[1].id: 0.2}}


def test_a_frame_has_a_row_a_run_and_a_column_a_key(yard: Yard) -> None:
    pandas = pytest.importorskip("pandas")
    two_runs(yard)

    frame = runyard.runs(sort="created_at").frame()

    assert isinstance(frame, pandas.DataFrame)
    assert frame["config.optim.lr"].tolist() == [0.1, 0.2]
    assert frame["loss.min"].tolist() == [1.0, 5.0]
    assert math.isnan(frame["f1.last"][0])
    assert frame["state"].tolist() == ["COMPLETED", "COMPLETED"]


def without(*packages: str) -> Callable[..., Any]:
    real = builtins.__import__

    def import_(name: str, *args: Any, **kwargs: Any) -> Any:
        if name in packages:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    return import_


def test_without_pandas_a_frame_is_one_of_polars(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    polars = pytest.importorskip("polars")
    two_runs(yard)
    runs = runyard.runs(sort="created_at")
    monkeypatch.setattr(builtins, "__import__", without("pandas"))

    frame = runs.frame()

    assert isinstance(frame, polars.DataFrame)
    assert frame["f1.last"].to_list() == [None, 0.5]


def test_without_either_the_error_says_what_to_install(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = runyard.runs()
    monkeypatch.setattr(builtins, "__import__", without("pandas", "polars"))

    with pytest.raises(MissingExtra, match=r"runyard\[frames\]"):
        runs.frame()


def test_files_output_and_attempts_are_read_when_wanted(yard: Yard) -> None:
    yard.run(
        files={"b.txt": b"bb", "a.txt": b"a"}, output="one\ntwo\n", state=RunState.FAILED, reason="no", traceback="T"
    )
    run = runyard.runs()[0]

    files = run.artifacts()
    (attempt,) = run.attempts

    assert [(file.name, file.path.read_bytes() if file.path else b"") for file in files] == [
        ("a.txt", b"a"),
        ("b.txt", b"bb"),
    ]
    assert run.output() == "one\ntwo\n"
    assert (attempt.number, attempt.state, attempt.reason, attempt.traceback) == (1, RunState.FAILED, "no", "T")
    assert attempt.environment is not None
    assert attempt.environment.python == "3.12.1"


def test_media_come_with_their_content(yard: Yard) -> None:
    row = yard.run(state=None)
    journal = JournalWriter(yard.client.folder(row.id).attempt(1).journal(MAIN), run=row.id, attempt=1, stream=MAIN)
    for step in range(3):
        journal.event(Media(time_ns=1, key="images", step=step, kind="image", mime="image/png", data=b"%d" % step))
    journal.close()
    run = runyard.runs()[0]

    assert [(place.step, content.data) for place, content in run.media("images")] == [(0, b"0"), (1, b"1"), (2, b"2")]
    assert run.media("other") == []


def test_a_waiting_run_can_be_stopped_and_an_ended_one_cannot(yard: Yard) -> None:
    yard.run(state=RunState.QUEUED)
    run = runyard.runs()[0]

    run.stop("not needed")

    assert run.state is RunState.STOPPED
    assert "not needed" in run.reason
    with pytest.raises(RunFinished):
        run.stop()


def test_reload_tells_the_run_as_it_is_now(yard: Yard) -> None:
    row = yard.run(state=None)
    run = runyard.runs()[0]
    assert run.state is RunState.RUNNING

    yard.append_output(row.id, "", ended=RunState.COMPLETED)

    assert run.reload().state is RunState.COMPLETED


def test_notebooks_get_escaped_html(yard: Yard) -> None:
    yard.run(name="<script>alert(1)</script>" + HOSTILE, note="<b>", tags=("<i>",), changed={"<u>": "<s>"})
    runs = runyard.runs()

    for shown in (runs._repr_html_(), runs[0]._repr_html_()):
        assert "<script>" not in shown
        assert "&lt;script&gt;" in shown
    assert not {"<b>", "<i>", "<u>", "<s>"} & set(runs[0]._repr_html_().replace(">", ">\n").split("\n"))


def test_a_list_of_runs_shows_what_tells_them_apart(yard: Yard) -> None:
    two_runs(yard)

    html = runyard.runs(sort="created_at")._repr_html_()

    assert "optim.lr" in html
    assert "depth" not in html
    assert "loss" in html


def test_a_hundred_thousand_runs_show_the_first_few_and_a_count(yard: Yard) -> None:
    two_runs(yard)
    row = runyard.runs()[0].row
    many = Runs(yard.client, [row] * 100_000)

    html = many._repr_html_()

    assert "… and 99,980 more runs" in html
    assert len(html) < 20_000


def test_an_empty_list_says_so(yard: Yard) -> None:
    assert "No runs" in runyard.runs()._repr_html_()


def test_series_and_differences_show_themselves(yard: Yard) -> None:
    two_runs(yard)
    yard.run(name=HOSTILE + "<script>", metrics={"<b>loss": [1.0, 2.0]}, config={"<i>": "<u>"})
    runs = runyard.runs(sort="created_at")

    things: list[Any] = [runs.series("loss"), runs.series("<b>loss"), runs.config_diff()]
    things += [runs[0].series("loss"), runs.series("none"), runs[:1].config_diff()]
    shown = [thing._repr_html_() for thing in things]

    assert ["<svg" in html for html in shown] == [True, True, False, True, False, False]
    assert not [tag for html in shown for tag in ("<script>", "<b>", "<i>", "<u>") if tag in html]


def test_a_series_of_many_runs_becomes_one_table(yard: Yard) -> None:
    pytest.importorskip("pandas")
    two_runs(yard)

    frame = runyard.runs(sort="created_at").series("loss").frame()

    assert frame["name"].tolist() == ["a", "a", "a", "b"]
    assert frame["value"].tolist() == [3.0, 1.0, 2.0, 5.0]


def test_media_of_every_kind_show_themselves(yard: Yard) -> None:
    row = yard.run(state=None)
    journal = JournalWriter(yard.client.folder(row.id).attempt(1).journal(MAIN), run=row.id, attempt=1, stream=MAIN)
    contents: list[tuple[str, str, bytes]] = [
        ("image", "image/png", b"\x89PNG"),
        ("text", "text/plain", b"<script>alert(1)</script>"),
        ("table", "application/json", b'{"columns": ["<b>"], "rows": [["<i>"], [2]]}'),
        ("confusion_matrix", "application/json", b'{"labels": ["cat", "dog"], "matrix": [[1, 2], [3, 4]]}'),
        ("curve", "application/json", b'{"x": [0, 1], "y": [0, 1], "x_label": "fp", "y_label": "tp"}'),
        ("histogram", "application/json", b'{"edges": [0, 1, 2], "counts": [3, 4], "not_finite": 0}'),
        ("table", "application/json", b"no JSON"),
        ("picture", "image/svg+xml", b"<svg onload=alert(1)>"),
        ("audio", "audio/wav", b"RIFF"),
        ("video", "video/mp4", b"ftyp"),
    ]
    for number, (kind, mime, data) in enumerate(contents):
        journal.event(Media(time_ns=1, key=f"{number}", step=0, kind=kind, mime=mime, data=data))
    journal.close()

    html = runyard.runs()[0].media()._repr_html_()

    assert html.count("data:image/png;base64,") == 1
    assert html.count('<audio controls src="data:audio/wav;base64,') == 1
    assert html.count('<video controls src="data:video/mp4;base64,') == 1
    assert html.count("<svg") == 2
    assert html.count("cannot be shown here") == 2
    assert not [tag for tag in ("<script>", "<b>", "<i>", "onload") if tag in html]
