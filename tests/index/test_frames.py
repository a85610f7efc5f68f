"""Tables of runs and series are what somebody who knows pandas or polars expects."""

import builtins
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from runyard.index import MetricSummary, RunRow
from runyard.index.frames import frame_of_runs, frame_of_series
from runyard.index.series import Series
from runyard.records import CodeState, RunId, RunState

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def summary(last: float, low: float | None = None) -> MetricSummary:
    return MetricSummary(last=last, last_step=1, min=low, min_step=1, max=low, max_step=1, count=2)


def a_row(run_id: str, **known: Any) -> RunRow:
    """A run that has ended."""
    usual: dict[str, Any] = dict.fromkeys(RunRow.__struct_fields__) | dict.fromkeys(
        ("project", "name", "kind", "reason", "user", "host", "note", "config_id", "group", "source", "fingerprint"), ""
    )
    usual |= {"id": RunId(run_id), "state": RunState.COMPLETED, "attempt": 1, "created_at": NOON, "tags": ("a", "b")}
    usual |= {"summary": {}, "config": {}, "changed": {}, "labels": {}, "code": CodeState(), "trashed": False}
    return RunRow(**(usual | known))


def two_rows() -> list[RunRow]:
    settings = {"optim": {"lr": 0.1}, "depth": 3, "aug": True, "sizes": [1, 2], "big": 2**70, "mix": 1}
    return [
        a_row("a", seed=3, config=settings, summary={"loss": summary(0.5, 0.25)}, started_at=NOON),
        a_row("b", config={"optim": {"lr": 1}, "mix": "x"}, summary={"f1": summary(float("nan"))}),
    ]


@pytest.fixture
def without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def import_(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", import_)


def test_columns_of_pandas_keep_their_types_where_some_runs_lack_them() -> None:
    frame = frame_of_runs(two_rows())

    types = frame.dtypes.astype(str)
    assert types["created_at"] == types["started_at"] == types["ended_at"] == "datetime64[us, UTC]"
    assert types["seed"] == "Int64"
    assert types["attempt"] == "int64"
    assert types["config.depth"] == "Int64"
    assert types["config.aug"] == "boolean"
    assert types["config.optim.lr"] == types["loss.last"] == types["f1.min"] == "float64"
    assert frame["seed"].tolist() == [3, pandas.NA]
    assert frame["config.big"][0] == 2**70
    assert frame["config.sizes"][0] == [1, 2]
    assert frame["config.mix"].tolist() == [1, "x"]
    assert np.isnan(frame["f1.last"]).tolist() == [True, True]
    assert frame["started_at"][0] == pandas.Timestamp(NOON)
    assert frame["started_at"].isna().tolist() == [False, True]


def test_no_runs_make_an_empty_frame_with_the_fields_of_runs() -> None:
    frame = frame_of_runs([])

    assert len(frame) == 0
    assert {"id", "name", "state", "created_at", "duration_s", "tags"} <= set(frame.columns)
    assert str(frame.dtypes["created_at"]) == "datetime64[us, UTC]"


def test_columns_of_polars_are_typed_and_null_where_a_run_lacks_them(without_pandas: None) -> None:
    frame = frame_of_runs(two_rows())

    assert frame.schema["created_at"] == polars.Datetime("us", "UTC")
    assert frame.schema["seed"] == polars.Int64
    assert frame.schema["config.aug"] == polars.Boolean
    assert frame["loss.last"].to_list() == [0.5, None]
    assert frame["f1.last"].is_nan().to_list() == [None, True]
    assert frame["config.optim.lr"].to_list() == [0.1, 1.0]
    assert len(frame_of_runs([])) == 0


def series() -> dict[str, Series]:
    def of(values: list[float]) -> Series:
        count = np.arange(len(values))
        times = 1_772_000_000_000_000_000 + count
        return Series(steps=count * 10, values=np.array(values), times=times, attempts=np.ones(len(values), np.int64))

    return {"a": of([3.0, float("nan")]), "b": of([]), "c": of([5.0])}


def test_points_of_several_runs_are_one_long_table() -> None:
    frame = frame_of_series(series(), {"a": "first", "c": "third"})

    assert frame.columns.tolist() == ["run", "name", "step", "value", "time"]
    assert frame["run"].tolist() == ["a", "a", "c"]
    assert frame["name"].tolist() == ["first", "first", "third"]
    assert frame["step"].tolist() == [0, 10, 0]
    assert str(frame.dtypes["step"]) == "int64"
    assert str(frame.dtypes["time"]) == "datetime64[ns, UTC]"
    assert frame.pivot(index="step", columns="run", values="value").shape == (2, 2)
    assert len(frame_of_series({}, {})) == 0


def test_points_are_the_same_table_in_polars(without_pandas: None) -> None:
    frame = frame_of_series(series(), {})

    assert frame["run"].to_list() == ["a", "a", "c"]
    assert frame.schema["time"] == polars.Datetime("ns", "UTC")
    assert len(frame_of_series({}, {})) == 0
