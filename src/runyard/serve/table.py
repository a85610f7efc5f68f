"""Predictions as a table: CSV, or Parquet where pyarrow is installed; whole or not at all."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runyard.drafts import drafted
from runyard.errors import MissingExtra
from runyard.formulas import guarded

Row = Mapping[str, Any]


def columns(document: Any) -> dict[str, Any]:
    """An answer as named cells."""
    return dict(document) if isinstance(document, Mapping) else {"prediction": document}


def write_table(rows: Sequence[Row], path: Path, *, names: Sequence[str] = ()) -> None:
    """Write rows to a file that ends in .csv or .parquet; `names` are columns that are there without rows, too.

    Raises:
        MissingExtra: Parquet without pyarrow.
    """
    with drafted(path) as draft:
        if path.suffix == ".parquet":
            _write_parquet(rows, draft)
        else:
            _write_csv(rows, draft, names)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a .csv, .json, .jsonl or .parquet file.

    Raises:
        ValueError: it cannot be read as such.
        MissingExtra: Parquet without pyarrow.
    """
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".parquet":
        return list(_parquet().read_table(path).to_pylist())
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    found = json.loads(text)
    return found if isinstance(found, list) else [found]


def _write_csv(rows: Sequence[Row], path: Path, names: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(_names(rows)) or list(names))
        table.writerow({name: guarded(name) for name in table.fieldnames})
        table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _write_parquet(rows: Sequence[Row], path: Path) -> None:
    parquet = _parquet()
    import pyarrow

    parquet.write_table(pyarrow.table({name: [row.get(name) for row in rows] for name in _names(rows)}), path)


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(extra="parquet", purpose="Parquet") from None
    return pyarrow.parquet


def _names(rows: Iterable[Row]) -> dict[str, None]:
    return {name: None for row in rows for name in row}


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return guarded(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple | dict) else value
