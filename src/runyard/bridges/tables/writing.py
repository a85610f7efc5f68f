"""The three formats. A file gets its name when it is whole: until then it stands beside it under another one."""

import contextlib
import csv
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from runyard.bridges.tables import cells
from runyard.bridges.tables.columns import CONFIG, FIELDS, SERIES
from runyard.errors import MissingExtra, UsageError
from runyard.formulas import guarded

if TYPE_CHECKING:
    from runyard.index.series import Series

FORMATS = ("csv", "json", "parquet")

_END = "\r\n"  # of a line of CSV (RFC 4180); Python's writer puts a text in quotes if it holds one of these two

_POINTS_IN_LINE = 10_000  # of JSON
_POINTS_AT_ONCE = 100_000
_POINTS_IN_GROUP = 1_000_000  # of Parquet
_ROWS_IN_GROUP = 2_000
_INT64 = 1 << 63


class SeriesWriter(Protocol):
    """Takes series one after the other."""

    def add(self, run_id: str, key: str, series: "Series") -> None:
        """Write all points of a series."""

    def close(self) -> None:
        """Write what waits; the file itself is not closed."""


@contextmanager
def replacing(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file to write, which takes its place when all went well; else nothing is left of it.

    Raises:
        UsageError: something is there already, or the folder is not.
        OSError: the disk did not take it.
    """
    check_free(path, force=force)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def check_free(path: Path, *, force: bool) -> None:
    """Make sure that a file may be written there.

    Raises:
        UsageError: something is there already, or the folder is not.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file that could be replaced. Name another one.")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already. --force replaces it.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}. Make it first, or name another one.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# ---- runs ----


def write_runs_csv(file: IO[bytes], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A header and a line a run. A column that a run lacks is empty."""
    text = _TextOver(file)
    writer = csv.writer(text, lineterminator=_END)
    writer.writerow([guarded(name) for name in columns])
    for row in rows:
        writer.writerow([_csv_cell(name, row[name]) if name in row else "" for name in columns])


def _csv_cell(name: str, value: Any) -> str:
    kind = FIELDS.get(name)
    if value is None and not name.startswith(CONFIG):
        return ""
    if kind is None:
        return cells.to_cell(value)
    return guarded(value) if kind in ("text", "time") else cells.to_cell(value)


def write_line(file: IO[bytes], document: Mapping[str, Any]) -> None:
    """One line of strict JSON; numbers that it lacks are the texts "NaN", "Infinity" and "-Infinity"."""
    file.write(json.dumps(strict(document), ensure_ascii=False, allow_nan=False).encode(errors="replace") + b"\n")


def strict(value: Any) -> Any:
    """A document without numbers that JSON lacks, and with times as texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return value


def iso(moment: datetime) -> str:
    """A time in UTC as text."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Kinds:
    """What the values of each column are, to give a column of Parquet one type."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def see(self, row: Mapping[str, Any]) -> None:
        """Count a row in."""
        for name, value in row.items():
            self._seen.setdefault(name, set()).add(_kind(value))

    def of(self, name: str) -> str:
        """`bool`, `int`, `float`, `text`, or `json` where values of several kinds are mixed."""
        found = self._seen.get(name, set()) - {"null"}
        if len(found) == 1:
            return next(iter(found))
        return "float" if found == {"int", "float"} else "json" if found else "text"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else "json"
    return "float" if isinstance(value, float) else "text" if isinstance(value, str) else "json"


def write_runs_parquet(
    file: IO[bytes], columns: Sequence[str], rows: Iterable[Mapping[str, Any]], kinds: Kinds
) -> None:
    """A column of one type each; what is mixed, or a list, is JSON.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    types = {
        "text": arrow.string(),
        "int": arrow.int64(),
        "float": arrow.float64(),
        "bool": arrow.bool_(),
        "json": arrow.string(),
        "time": arrow.timestamp("us", tz="UTC"),
        "tags": arrow.list_(arrow.string()),
    }
    of = {name: FIELDS.get(name) or kinds.of(name) for name in columns}
    schema = arrow.schema([(name, types[of[name]]) for name in columns])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows, _ROWS_IN_GROUP):
            arrays = [
                arrow.array([_parquet_value(row.get(name), of[name]) for row in group], types[of[name]])
                for name in columns
            ]
            writer.write_batch(arrow.record_batch(arrays, schema=schema))


def _parquet_value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "json":
        return json.dumps(strict(value), ensure_ascii=False)
    if kind == "time":
        return datetime.fromisoformat(value)
    return float(value) if kind == "float" else value


def _groups(rows: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


# ---- points ----


def series_writer(file: IO[bytes], kind: str) -> SeriesWriter:
    """What writes points in a format.

    Raises:
        MissingExtra: pyarrow is needed, and not installed.
    """
    if kind == "parquet":
        return _ParquetPoints(file)
    return _CsvPoints(file) if kind == "csv" else _JsonPoints(file)


class _CsvPoints:
    """A line a point: run, key, step, value, time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._text = _TextOver(file)
        csv.writer(self._text, lineterminator=_END).writerow(SERIES)

    def add(self, run_id: str, key: str, series: "Series") -> None:
        head = _Line()
        csv.writer(head, lineterminator=_END).writerow([run_id, guarded(key)])
        begins = head.text.removesuffix(_END)
        for begin in range(0, len(series), _POINTS_AT_ONCE):
            part = slice(begin, begin + _POINTS_AT_ONCE)
            times = np.datetime_as_string(series.times[part].astype("datetime64[ns]"), unit="ns").tolist()
            points = zip(series.steps[part].tolist(), series.values[part].tolist(), times, strict=True)
            lines = [f"{begins},{step},{value!r},{time}Z{_END}" for step, value, time in points]
            self._file.write("".join(lines).encode(errors="replace"))

    def close(self) -> None:
        """Nothing waits."""


class _JsonPoints:
    """A line for some thousands of points of one series."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, run_id: str, key: str, series: "Series") -> None:
        for begin in range(0, len(series), _POINTS_IN_LINE):
            part = slice(begin, begin + _POINTS_IN_LINE)
            write_line(
                self._file,
                {
                    "run": run_id,
                    "key": key,
                    "steps": series.steps[part].tolist(),
                    "values": series.values[part].tolist(),
                    "times_ns": series.times[part].tolist(),
                },
            )

    def close(self) -> None:
        """Nothing waits."""


class _ParquetPoints:
    """Columns run, key, step, value, time; a million points to a group."""

    def __init__(self, file: IO[bytes]) -> None:
        self._arrow, parquet = _pyarrow()
        arrow = self._arrow
        name = arrow.dictionary(arrow.int32(), arrow.string())
        time = arrow.timestamp("ns", tz="UTC")
        self._schema = arrow.schema(zip(SERIES, (name, name, arrow.int64(), arrow.float64(), time), strict=True))
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[tuple[str, str, Series]] = []
        self._points = 0

    def add(self, run_id: str, key: str, series: "Series") -> None:
        self._waiting.append((run_id, key, series))
        self._points += len(series)
        if self._points >= _POINTS_IN_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        arrow = self._arrow
        sizes = [len(series) for *_, series in self._waiting]
        series = [each for *_, each in self._waiting]
        arrays = [
            self._named([run_id for run_id, _, _ in self._waiting], sizes),
            self._named([key for _, key, _ in self._waiting], sizes),
            arrow.array(np.concatenate([each.steps for each in series])),
            arrow.array(np.concatenate([each.values for each in series])),
            arrow.array(np.concatenate([each.times for each in series]).astype("datetime64[ns]"), self._schema[4].type),
        ]
        self._writer.write_batch(arrow.record_batch(arrays, schema=self._schema))
        self._waiting, self._points = [], 0

    def _named(self, names: list[str], sizes: list[int]) -> Any:  # an array of pyarrow, which ships no types
        unique = list(dict.fromkeys(names))
        numbers = {name: number for number, name in enumerate(unique)}
        indices = np.repeat(np.array([numbers[name] for name in names], np.int32), sizes)
        return self._arrow.DictionaryArray.from_arrays(indices, self._arrow.array(unique, self._arrow.string()))


class _TextOver:
    """What `csv.writer` writes to, over a file of bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode(errors="replace"))


class _Line:
    """A line in memory."""

    text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


def _pyarrow() -> tuple[Any, Any]:  # it ships no types
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(extra="parquet", purpose="Writing Parquet") from None
    return pyarrow, pyarrow.parquet
