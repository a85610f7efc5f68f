"""Tables as they are found: CSV with a header, and lines of JSON. What cannot be read is named by file and line."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.bridges.tables.columns import FIELDS, SERIES
from runyard.errors import UsageError
from runyard.formulas import unguarded

_DELIMITERS = (",", ";", "\t")
_LONGEST_CELL = 1 << 30
_OURS = (",".join(list(FIELDS)[:3]) + ",", ",".join(SERIES[:3]) + ",")
_QUOTED = re.compile(r'"[^"]*"')


@dataclass
class CsvTable:
    """A file with a header. `problems` holds a sentence for each line that `rows` could not read.

    Attributes:
        size_bytes: of the file, for a bar of progress.
        bytes_read: how far `rows` is, about.
    """

    path: Path
    columns: list[str]
    delimiter: str
    size_bytes: int
    bytes_read: int = 0
    problems: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Number of its first line, and cells, of each row that has as many cells as the header."""
        self.problems = []
        with self.path.open("r", encoding="utf-8-sig", newline="", errors="replace") as file:
            reader = _reader(file, self.delimiter)
            line = 1
            try:
                next(reader)
                while True:
                    line = reader.line_num + 1
                    row = next(reader)
                    if not row or (len(row) == 1 and not row[0].strip()):
                        continue
                    if len(row) != len(self.columns):
                        self.problems.append(
                            f"{self.path}, line {line}: it has {len(row)} cells, and the header {len(self.columns)}."
                        )
                        continue
                    self.bytes_read = min(self.bytes_read + sum(map(len, row)) + len(row), self.size_bytes)
                    yield line, row
            except StopIteration:
                return
            except csv.Error as problem:
                self.problems.append(f"{self.path}, line {line}: {problem}; nothing behind it was read.")


def open_csv(path: Path) -> CsvTable:
    """The table in a file: its header is read, and which sign separates its cells.

    Raises:
        UsageError: there is none, it is no UTF-8, or it has no header, or one with a name twice.
    """
    try:
        with path.open("r", encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = _delimiter(first)
            file.seek(0)
            columns = [unguarded(each.strip()) for each in next(_reader(file, delimiter), [])]
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder. Name the files in it.") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise UsageError(f"{path} is no CSV in UTF-8: {problem}.") from None
    if not any(columns):
        raise UsageError(f"{path} has no header: its first line must name the columns.")
    twice = sorted({each for each in columns if columns.count(each) > 1})
    if twice:
        raise UsageError(f"{path} has the column {twice[0]!r} twice. Rename one of the two.")
    return CsvTable(path, columns, delimiter, path.stat().st_size)


def _delimiter(header: str) -> str:
    """What separates the cells of a header; what stands in quotes does not count, nor what our own names hold."""
    if header.startswith(_OURS):
        return ","
    return max(_DELIMITERS, key=_QUOTED.sub("", header).count)


@dataclass
class JsonTable:
    """A file with a JSON object on each line; attributes as those of `CsvTable`."""

    path: Path
    size_bytes: int
    bytes_read: int = 0
    problems: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and object of each line that holds one."""
        self.problems = []
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                self.bytes_read += len(line)
                if not line.strip():
                    continue
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError) as problem:
                    self.problems.append(f"{self.path}, line {number}: it is no JSON: {problem}.")
                    continue
                if isinstance(found, dict):
                    yield number, found
                else:
                    self.problems.append(f"{self.path}, line {number}: it holds no object.")


def open_json(path: Path) -> JsonTable:
    """The lines of a file.

    Raises:
        UsageError: there is none.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    return JsonTable(path, path.stat().st_size)


def _reader(file: Any, delimiter: str) -> Any:  # the csv module's own type has no public name
    csv.field_size_limit(_LONGEST_CELL)  # of the whole process; the default is less than a long note
    return csv.reader(file, delimiter=delimiter)
