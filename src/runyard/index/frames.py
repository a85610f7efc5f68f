"""Runs and series as tables of pandas or polars, whichever is there; built by column, since rows take a hundred times
the objects.

Whole numbers and truth values stay what they are where some runs lack them (`Int64` and `boolean` in pandas, null in
polars), numbers that lack are NaN or null, times are aware and in UTC even where no run has one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from runyard.errors import MissingExtra
from runyard.index.diff import flatten
from runyard.index.rows import RunRow
from runyard.index.series import Series

Kind = Literal["any", "number", "whole", "time"]
Column = tuple[Kind, list[Any]]

_TEXTS = ("id", "name", "project", "experiment", "grid")
_MORE = ("user", "host", "note")
_TIMES = ("created_at", "started_at", "ended_at")
_MOST = 2**63  # a whole number beyond it stays a Python object


def frame_of_runs(rows: Sequence[RunRow]) -> Any:  # a DataFrame of a package that may be missing
    """One row a run: its fields, `config.<key>`, and `<metric>.last`, `.min`, `.max`; see `Runs.frame`."""
    return _made(_columns(rows), purpose="runs.frame()")


def frame_of_series(series: Mapping[str, Series], names: Mapping[str, str]) -> Any:  # see above
    """One row a point: `run` (its id), `name`, `step`, `value`, `time`; the runs one after the other."""
    lengths = [len(each) for each in series.values()]
    parts = list(series.values())
    steps = np.concatenate([each.steps for each in parts]) if parts else np.empty(0, np.int64)
    values = np.concatenate([each.values for each in parts]) if parts else np.empty(0)
    times = np.concatenate([each.times for each in parts]) if parts else np.empty(0, np.int64)
    codes = np.repeat(np.arange(len(parts)), lengths)
    ids = list(series)
    texts = {"run": ids, "name": [names.get(run_id, run_id) for run_id in ids]}

    def of_pandas(pandas: Any) -> Any:
        repeated = {key: np.array(found, dtype=object)[codes] for key, found in texts.items()}
        at = pandas.to_datetime(times, unit="ns", utc=True)
        return pandas.DataFrame({**repeated, "step": steps, "value": values, "time": at})

    def of_polars(polars: Any) -> Any:
        repeated = {key: polars.Series(found, dtype=polars.String).gather(codes) for key, found in texts.items()}
        at = polars.Series(times).cast(polars.Datetime("ns", "UTC"))
        return polars.DataFrame({**repeated, "step": steps, "value": values, "time": at})

    return _with_either(of_pandas, of_polars, purpose="series.frame()")


def _columns(rows: Sequence[RunRow]) -> dict[str, Column]:
    columns: dict[str, Column] = {name: ("any", [getattr(row, name) for row in rows]) for name in _TEXTS}
    columns["state"] = "any", [str(row.state) for row in rows]
    columns["reason"] = "any", [row.reason for row in rows]
    columns["attempt"] = "whole", [row.attempt for row in rows]
    columns["seed"] = "whole", [row.seed for row in rows]
    columns |= {name: ("any", [getattr(row, name) for row in rows]) for name in _MORE}
    columns["tags"] = "any", [" ".join(row.tags) for row in rows]
    columns["duration_s"] = "number", [row.duration_s for row in rows]
    columns |= {name: ("time", [getattr(row, name) for row in rows]) for name in _TIMES}
    return columns | _settings(rows) | _metrics(rows)


def _settings(rows: Sequence[RunRow]) -> dict[str, Column]:
    found: dict[str, list[Any]] = {}
    for place, row in enumerate(rows):
        for key, value in flatten(row.config).items():
            column = found.get(key)
            if column is None:
                column = found[key] = [None] * len(rows)
            column[place] = value
    return {f"config.{key}": (_kind(values), values) for key, values in found.items()}


def _metrics(rows: Sequence[RunRow]) -> dict[str, Column]:
    found: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
    nothing: list[Any] = [None] * len(rows)
    for place, row in enumerate(rows):
        for key, summary in row.summary.items():
            columns = found.get(key)
            if columns is None:
                columns = found[key] = (nothing[:], nothing[:], nothing[:])
            columns[0][place], columns[1][place], columns[2][place] = summary.last, summary.min, summary.max
    return {
        f"{key}.{what}": ("number", column)
        for key, columns in found.items()
        for what, column in zip(("last", "min", "max"), columns, strict=True)
    }


def _kind(values: Sequence[Any]) -> Kind:
    types = set(map(type, values)) - {type(None)}
    if types == {int} and all(value is None or -_MOST <= value < _MOST for value in values):
        return "whole"
    return "number" if float in types and types <= {int, float} else "any"


def _made(columns: Mapping[str, Column], *, purpose: str) -> Any:
    def of_pandas(pandas: Any) -> Any:
        return pandas.DataFrame({key: _of_pandas(pandas, *column) for key, column in columns.items()})

    def of_polars(polars: Any) -> Any:
        types = {"number": polars.Float64, "whole": polars.Int64, "time": polars.Datetime("us", "UTC")}
        made = [
            polars.Series(key, values, dtype=types.get(kind), strict=False) for key, (kind, values) in columns.items()
        ]
        return polars.DataFrame(made)

    return _with_either(of_pandas, of_polars, purpose=purpose)


def _of_pandas(pandas: Any, kind: Kind, values: list[Any]) -> Any:
    if kind == "time":
        return pandas.Series(pandas.to_datetime(values, utc=True), dtype="datetime64[us, UTC]")
    if kind == "number":
        return pandas.Series(values, dtype="float64")
    is_lacking = any(value is None for value in values)
    if kind == "whole":
        return pandas.Series(values, dtype="Int64" if is_lacking else "int64")
    if is_lacking and set(map(type, values)) == {bool, type(None)}:
        return pandas.Series(values, dtype="boolean")
    return pandas.Series(values, dtype="object" if any(isinstance(value, list | dict) for value in values) else None)


def _with_either(of_pandas: Callable[[Any], Any], of_polars: Callable[[Any], Any], *, purpose: str) -> Any:
    try:
        import pandas
    except ImportError:
        pass
    else:
        return of_pandas(pandas)
    try:
        import polars
    except ImportError:
        raise MissingExtra(extra="frames", purpose=purpose) from None
    return of_polars(polars)
