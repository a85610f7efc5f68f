"""What is exported as a table is read by others, and comes back without loss."""

import csv
import json
import math
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runyard.bridges.intake import Foreign, Imported, begin
from runyard.bridges.tables import cells, exporting
from runyard.bridges.tables.columns import dotted, parts
from runyard.bridges.tables.importing import take_in
from runyard.bridges.tables.writing import replacing
from runyard.cli.main import run
from runyard.client import Client, open_client
from runyard.errors import UsageError
from runyard.formulas import guarded, unguarded
from runyard.index import RunRow
from runyard.records import RunState

BEGAN = datetime(2024, 5, 3, 12, 0, tzinfo=UTC)
BEGAN_NS = int(BEGAN.timestamp()) * 10**9
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12).filter(
    str.strip
)
NUMBERS = st.floats(allow_subnormal=False) | st.integers(-(2**70), 2**70)
# JSON has no NaN and no infinities, so these three words stand for them there
SETTINGS = st.none() | st.booleans() | NUMBERS | TEXTS.filter(lambda text: text not in ("NaN", "Infinity", "-Infinity"))
CONFIGS = st.dictionaries(
    NAMES,
    st.recursive(SETTINGS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)),
    max_size=4,
)
POINTS = st.lists(
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(), st.integers(0, 2**61)), min_size=1, max_size=5
)
RUNS = st.fixed_dictionaries(
    {
        "config": CONFIGS,
        "note": TEXTS,
        "tags": st.lists(NAMES, max_size=2, unique=True),
        "labels": st.dictionaries(NAMES, TEXTS, max_size=2),
        "state": st.sampled_from([RunState.COMPLETED, RunState.FAILED, RunState.STOPPED]),
        "series": st.dictionaries(NAMES.filter(lambda name: not name.startswith("sys/")), POINTS, max_size=2),
    }
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


def add(client: Client, number: int = 1, **said: Any) -> RunRow:
    """A run that has ended."""
    foreign = Foreign(
        source=f"made:{number}",
        project="weld",
        name=said.get("name", f"run {number}"),
        created_at=BEGAN + timedelta(minutes=number),
        started_at=BEGAN + timedelta(minutes=number, seconds=1),
        config=said.get("config", {"lr": 0.1}),
        tags=tuple(said.get("tags", ())),
        note=said.get("note", ""),
        user="anna",
        host="ws7",
    )
    ended_at = BEGAN + timedelta(hours=1)
    with begin(client, foreign) as arriving:
        arriving.label(said.get("labels", {}), at=BEGAN)
        for key, points in said.get("series", {"loss": [(0, 2.0, BEGAN_NS), (1, 1.0, BEGAN_NS + 10**9)]}).items():
            steps, values, times = zip(*points, strict=True)
            arriving.points(key, steps, values, times)
        arriving.end(said.get("state", RunState.COMPLETED), at=ended_at, reason=said.get("reason", ""))
    return client.index.get(arriving.id)


def export(client: Client, folder: Path, kind: str) -> tuple[Path, Path]:
    """All runs and their points."""
    out, series = folder / f"runs.{kind}", folder / f"points.{kind}"
    exporting.export(client, exporting.pages(client, None, project=None), kind=kind, out=out, series=series, force=True)
    return out, series


def told(client: Client, row: RunRow) -> tuple[Any, ...]:
    """All of a run that must not be lost, comparable where it holds NaN."""
    series = {key: client.index.series(row.id, key) for key in client.index.keys(row.id)}
    points = {key: (s.steps.tolist(), s.values.tolist(), s.times.tolist()) for key, s in series.items()}
    facts = (row.name, row.project, row.state, row.reason, row.user, row.host, row.note, row.tags, row.labels, row.seed)
    times = (row.created_at, row.started_at, row.ended_at)
    return repr((facts, times, points)), exact(row.config)


def exact(value: Any) -> str:
    """A config as text that differs wherever a value or its type does, whatever the order of the keys."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{exact(value[key])}" for key in sorted(value)) + "}"
    return "[" + ",".join(map(exact, value)) + "]" if isinstance(value, list) else repr(value)


@pytest.mark.parametrize("kind", ["csv", "json"])
@settings(
    max_examples=3,  # each makes two homes
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(runs=st.lists(RUNS, min_size=2, max_size=4))
def test_what_was_exported_comes_back_without_loss(
    tmp_path_factory: pytest.TempPathFactory, kind: str, runs: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    with ExitStack() as stack:
        here, there = (stack.enter_context(closing(open_client(folder / name))) for name in ("here", "there"))
        before = [add(here, number, **said) for number, said in enumerate(runs)]
        done = take_in(there, export(here, folder, kind), kind=kind, project=None, default="x")

        after = there.index.find(None, sort="created_at")
        assert done.problems == []
        assert [told(there, row) for row in after] == [told(here, row) for row in before]


def test_line_breaks_separators_and_the_largest_steps_survive_csv(client: Client, tmp_path: Path) -> None:
    points = [(-(2**63), 1.0, 1), (2**63 - 1, 2.0, 2), (2**53 + 1, 3.0, 3)]
    row = add(client, note="a\rb", labels={";" * 40: "\t;"}, config={"a.b": "x\r\ny"}, series={"l;oss": points})

    with closing(open_client(tmp_path / "other")) as other:
        done = bring(other, *export(client, tmp_path, "csv"))
        (again,) = other.index.find(None)
        assert (told(other, again), done.problems) == (told(client, row), [])


@given(value=st.recursive(SETTINGS | TEXTS, lambda inner: st.lists(inner, max_size=3)))
def test_a_cell_gives_back_its_value(value: Any) -> None:
    cell = cells.to_cell(value)

    assert cell
    assert exact(json_like(cells.from_cell(cell))) == exact(json_like(value))


@given(text=TEXTS)
def test_a_cell_of_text_gives_back_its_text(text: str) -> None:
    assert unguarded(guarded(text)) == text


@given(text=TEXTS | st.sampled_from(["=1+1", "+1", "-x", "@sum", "\t=1", "\r=1", "'=1", "=cmd|' /C calc'!A0"]))
def test_no_text_can_be_a_formula(text: str) -> None:
    for cell in (cells.to_cell(text), guarded(text)):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(path=st.lists(TEXTS, min_size=1, max_size=3))
def test_a_dotted_name_gives_back_its_path(path: list[str]) -> None:
    assert parts(dotted(tuple(path))) == tuple(path)


def json_like(value: Any) -> Any:
    return [json_like(each) for each in value] if isinstance(value, list) else value


def test_others_read_parquet(client: Client, tmp_path: Path) -> None:
    add(client, 1, config={"optim": {"lr": 0.1}, "sizes": [1, 2], "mixed": 1}, tags=["paper"])
    add(client, 2, config={"optim": {"lr": 1}, "mixed": "x"}, series={"loss": [(5, math.nan, BEGAN_NS + 1)]})

    out, series = export(client, tmp_path, "parquet")

    runs = pandas.read_parquet(out)
    assert runs["config.optim.lr"].tolist() == [0.1, 1.0]
    assert runs["config.mixed"].tolist() == ["1", '"x"']
    assert [list(tags) for tags in runs["tags"]] == [["paper"], []]
    assert runs["created_at"][0] == pandas.Timestamp(BEGAN + timedelta(minutes=1))
    points = polars.read_parquet(series)
    assert points["step"].to_list() == [0, 1, 5]
    assert points["run"].cast(polars.String).unique().len() == 2
    assert points["time"].dt.epoch("ns").to_list() == [BEGAN_NS, BEGAN_NS + 10**9, BEGAN_NS + 1]
    assert np.isnan(points["value"].to_list()[2])


def test_no_runs_give_empty_tables_that_others_read(client: Client, tmp_path: Path) -> None:
    for kind in ("csv", "json", "parquet"):
        export(client, tmp_path, kind)

    assert len(pandas.read_csv(tmp_path / "runs.csv")) == 0
    assert len(pandas.read_parquet(tmp_path / "runs.parquet")) == 0
    assert len(polars.read_parquet(tmp_path / "points.parquet")) == 0


def test_pandas_reads_the_points_of_csv(client: Client, tmp_path: Path) -> None:
    add(client, series={"=loss": [(0, math.inf, BEGAN_NS + 123)]})

    _, series = export(client, tmp_path, "csv")

    (point,) = pandas.read_csv(series, parse_dates=["time"]).to_dict("records")
    assert (point["key"], point["value"], point["time"].value) == ("'=loss", math.inf, BEGAN_NS + 123)


def test_a_file_that_is_there_is_not_replaced_unless_it_shall_be(client: Client, tmp_path: Path) -> None:
    out = tmp_path / "runs.csv"
    out.write_text("mine")

    with pytest.raises(UsageError, match=r"runs\.csv is there already\. --force replaces it"):
        exporting.export(client, [], kind="csv", out=out, series=None)
    assert out.read_text() == "mine"

    exporting.export(client, [add(client)], kind="csv", out=out, series=None, force=True)
    assert out.read_text().startswith("id,name,")


def test_what_breaks_off_leaves_nothing(client: Client, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()

    def broken() -> Iterator[RunRow]:
        yield add(client)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exporting.export(
            client, broken(), kind="csv", out=tmp_path / "tables" / "a.csv", series=tmp_path / "tables" / "b.csv"
        )

    assert list((tmp_path / "tables").iterdir()) == []


def test_a_written_file_may_be_read_like_any_other(tmp_path: Path) -> None:
    with replacing(tmp_path / "a", force=False) as file:
        file.write(b"1")
    (tmp_path / "b").touch()

    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_all_pages_of_runs_come_once_and_in_order(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE", 2)
    names = [add(client, number, series={}).name for number in range(5)]

    assert [row.name for row in exporting.pages(client, None, project="weld")] == names
    assert [row.name for row in exporting.pages(client, "name == 'run 3'", project=None)] == ["run 3"]


# ---- tables of others ----


def bring(client: Client, *paths: Path, **more: Any) -> Imported:
    return take_in(client, paths, kind="csv", project=None, default="weld", **more)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_row_a_run_is_guessed_by_names_and_numbers(client: Client, tmp_path: Path) -> None:
    table = written(
        tmp_path / "results.csv",
        "name,optim.lr,depth,val_accuracy,tags,note,params.width,Status\n"
        'first,0.1,3,0.91,"a,b",good,64,finished\n'
        "second,0.01,4,0.87,a,,32,crashed\n",
    )

    done = bring(client, table)

    second, first = client.index.find(None, sort="-name")
    assert (done.new, done.problems) == (2, [])
    assert first.config == {"optim": {"lr": 0.1}, "depth": 3, "width": 64}
    assert (first.summary["val_accuracy"].last, first.tags, first.note) == (0.91, ("a", "b"), "good")
    assert (first.state, second.state) == ("COMPLETED", "FAILED")


def test_importing_a_table_again_brings_what_is_new(client: Client, tmp_path: Path) -> None:
    table = written(tmp_path / "results.csv", "lr,loss\n0.1,1\n0.1,2\n")
    bring(client, table)

    written(table, "lr,loss\n0.2,3\n0.1,1\n0.1,2\n")
    again = bring(client, table)

    assert (again.new, again.known) == (1, 2)
    assert client.index.count(None) == 3


def test_what_cannot_be_read_is_named_by_file_and_line(client: Client, tmp_path: Path) -> None:
    table = written(tmp_path / "r.csv", 'name;loss;seed\na;0.5;1\nb;abc;2\n"c\nd";1\ne;0.1;x\nf;0.2;3\n')

    done = bring(client, table)

    assert done.problems == [
        f"{table}, line 3: column 'loss' holds 'abc', which is no number.",
        f"{table}, line 4: it has 2 cells, and the header 3.",
        f"{table}, line 6: column 'seed' holds 'x', which is no seed.",
    ]
    assert done.new == 4


def test_a_file_with_steps_is_one_run_and_goes_on(client: Client, tmp_path: Path) -> None:
    table = written(tmp_path / "lr0.1.csv", "epoch,loss,val_acc,time\n0,2,,1700000000\n1,1.5,0.5,1700000060\n")
    first = bring(client, table)
    with table.open("a") as file:
        file.write("2,1.2,0.6,1700000120\nx,1,1,1700000121\n")

    second = bring(client, table)
    third = bring(client, table)

    (row,) = client.index.find(None)
    assert (first.new, second.new, second.continued, third.known) == (1, 0, 1, 1)
    assert (row.name, row.state, row.duration_s) == ("lr0.1", "COMPLETED", 120.0)
    assert client.index.series(row.id, "loss").values.tolist() == [2, 1.5, 1.2]
    assert client.index.series(row.id, "val_acc").steps.tolist() == [1, 2]
    assert second.problems == [f"{table}, line 5: 'x' is no step."]


def test_what_tensorboard_saves_is_named_by_its_file(client: Client, tmp_path: Path) -> None:
    bring(client, written(tmp_path / "loss.csv", "Wall time,Step,Value\n1700000000.5,0,0.5\n1700000001.5,1,0.4\n"))

    (row,) = client.index.find(None)
    assert client.index.series(row.id, "loss").values.tolist() == [0.5, 0.4]


def test_a_table_of_runs_alone_gives_the_same_summaries(client: Client, tmp_path: Path) -> None:
    points = [(0, 2.0, BEGAN_NS), (3, 0.5, BEGAN_NS), (4, 5.0, BEGAN_NS), (9, 1.0, BEGAN_NS)]
    row = add(client, series={"loss": points})
    out, _ = export(client, tmp_path, "csv")

    with closing(open_client(tmp_path / "other")) as other:
        bring(other, out)
        (again,) = other.index.find(None)

    def of(found: RunRow) -> list[object]:
        loss = found.summary["loss"]
        return [loss.last, loss.last_step, loss.min, loss.min_step, loss.max, loss.max_step]

    assert of(again) == of(row)


def test_runs_that_are_here_are_left_alone(client: Client, tmp_path: Path) -> None:
    add(client)

    done = bring(client, *export(client, tmp_path, "csv"))

    assert (done.new, done.known, client.index.count(None)) == (0, 1, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no header"),
        ("a,a\n1,2\n", "has the column 'a' twice"),
        ("step,name2\n1,x\n2,y\n", "has no column of numbers beside 'step'"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(client: Client, tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        bring(client, written(tmp_path / "r.csv", text))


def test_broken_lines_of_json_are_named(client: Client, tmp_path: Path) -> None:
    points = '{"run": "a", "key": "k", "steps": [1], "values": [], "times_ns": [1]}'
    lines = ['{"id": "a", "state": "COMPLETED", "project": "p"}', '{"id":', "[1]", points]
    path = written(tmp_path / "r.jsonl", "\n".join(lines))

    done = take_in(client, [path], kind="json", project=None, default="x")

    assert done.new == 1
    assert [each.partition(", line ")[2][:1] for each in done.problems] == ["2", "3", "4"]


def test_the_commands_go_there_and_back(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(client)
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    assert run(["export", "csv", "--all", "--out", "runs.csv", "--series", "points.csv"]) == 0
    assert run(["export", "csv", "--all", "--out", "runs.csv"]) == 2
    assert run(["export", "json", "--where", "name == 'run 1'", "--out", "runs.jsonl", "--json"]) == 0
    assert run(["export", "csv", "--all"]) == 2
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "other"))
    capsys.readouterr()
    assert run(["import", "csv", "runs.csv", "points.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == 2
    with (tmp_path / "runs.csv").open() as file:
        assert next(csv.DictReader(file))["name"] == "run 1"


def test_a_dry_run_shows_what_columns_become_and_imports_nothing(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    table = written(tmp_path / "r.csv", "name,lr,top1,junk\na,0.1,0.9,x\n")

    assert run(["import", "csv", str(table), "--dry-run", "--ignore", "j*"]) == 0

    out = capsys.readouterr().out
    assert "each row is a run" in out
    assert "config lr" in out
    assert "metric top1" in out
    assert "nothing" in out
    assert client.index.count(None) == 0
    assert run(["import", "csv", str(table), "--metric", "nope"]) == 2
    assert "has no column 'nope'" in capsys.readouterr().err
