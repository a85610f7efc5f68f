"""Tables from lists of dicts, dicts of lists, pandas and polars: JSON {"columns": [...], "rows": [[...]]}."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from runyard.errors import UsageError

MAX_CELLS = 1_000_000


def encode_table(table: Any) -> tuple[bytes, dict[str, Any]]:
    """JSON bytes and {"columns", "rows"} (how many of each) of a table.

    Raises:
        UsageError: it is no table, its columns have different lengths, or it has more than a million cells.
    """
    columns, rows = _columns_and_rows(table)
    if len(columns) * len(rows) > MAX_CELLS:
        raise UsageError(
            f"A table of {len(rows):,} rows and {len(columns):,} columns is too large; {MAX_CELLS:,} cells fit. "
            "Log a sample of it, or the whole as a file with log_artifact."
        )
    plain = [[_cell(value) for value in row] for row in rows]
    data = msgspec.json.encode({"columns": columns, "rows": plain})
    return data, {"columns": len(columns), "rows": len(rows)}


def _columns_and_rows(table: Any) -> tuple[list[str], Sequence[Sequence[Any]]]:
    if hasattr(table, "to_dict") and hasattr(table, "columns"):  # a frame of pandas or polars
        names = list(table.columns)
        lists = [list(table[name]) for name in names] if len(set(names)) == len(names) else None
        if lists is None:
            raise UsageError("A table's columns must have different names.")
        return [str(name) for name in names], list(zip(*lists, strict=True))
    if isinstance(table, Mapping):
        return _from_columns(table)
    if (
        isinstance(table, Sequence)
        and not isinstance(table, str | bytes)
        and all(isinstance(row, Mapping) for row in table)
    ):
        names = list(dict.fromkeys(name for row in table for name in row))
        return [str(name) for name in names], [[row.get(name) for name in names] for row in table]
    raise UsageError(
        f"A table must be a list of dicts, a dict of lists or a frame of pandas or polars, not {type(table).__name__}."
    )


def _from_columns(table: Mapping[Any, Any]) -> tuple[list[str], Sequence[Sequence[Any]]]:
    try:
        columns = [list(column) for column in table.values()]
    except TypeError:
        raise UsageError("A table given as a dict must have a list for each column.") from None
    lengths = {str(name): len(column) for name, column in zip(table, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"The columns of a table must be equally long; these are: {lengths}.")
    return list(lengths), list(zip(*columns, strict=True))


def _cell(value: Any) -> Any:
    """A value that JSON has; numbers that it lacks, and anything else, as text."""
    if hasattr(value, "item") and not getattr(value, "ndim", 0):
        value = value.item()
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
