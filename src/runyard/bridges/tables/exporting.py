"""Runs and their points into files, a page of runs at a time: neither all runs nor all points are ever in memory.

What columns there are is known when the last run was seen. So the rows wait in a file of their own, and the table is
written from that: all of it shows the runs as they were when they were read.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from runyard.bridges.tables import writing
from runyard.bridges.tables.columns import CONFIG, FIELDS, LABEL, METRIC, STATISTICS, fields_of, leaves
from runyard.bridges.tables.writing import Kinds
from runyard.client import Client, documents
from runyard.errors import NotFound, UsageError
from runyard.index import RunRow

PAGE = 200  # runs that are read at once


@dataclass
class Exported:
    """How much was written."""

    runs: int = 0
    points: int = 0


def pages(client: Client, query: str | None, *, project: str | None) -> Iterator[RunRow]:
    """All runs that match, the oldest first, so that new ones come behind what was read."""
    seen: set[str] = set()
    offset = 0
    while True:
        found = client.index.find(query, project=project, sort="created_at", limit=PAGE, offset=offset)
        yield from (row for row in found if row.id not in seen)
        seen.update(row.id for row in found)
        if len(found) < PAGE:
            return
        offset += len(found)


def export(
    client: Client,
    rows: Iterable[RunRow],
    *,
    kind: str,
    out: Path | None,
    series: Path | None,
    force: bool = False,
    progress: Callable[[int], None] = lambda runs: None,
) -> Exported:
    """Write a table of runs to `out`, one of all their points to `series`; each file is there whole or not at all.

    Args:
        kind: one of `writing.FORMATS`.
        progress: called with how many runs are done.

    Raises:
        UsageError: a file is there already and `force` is not set, or its folder is not; both are one file.
        MissingExtra: pyarrow is needed, and not installed.
        OSError: the disk did not take it.
    """
    files = [path for path in (out, series) if path is not None]
    for path in files:
        writing.check_free(path, force=force)
    if out is not None and series is not None and out.absolute() == series.absolute():
        raise UsageError(f"{out} cannot hold both runs and points. Name two files.")
    done = Exported()
    with ExitStack() as stack:
        table = stack.enter_context(writing.replacing(out, force=force)) if out else None
        points = stack.enter_context(writing.replacing(series, force=force)) if series else None
        runs = stack.enter_context(_Runs(table, kind, folder=out.parent)) if table and out else None
        writer = writing.series_writer(points, kind) if points else None
        for row in rows:
            if runs is not None:
                runs.add(row)
            if writer is not None:
                done.points += _add_points(client, row, writer)
            done.runs += 1
            progress(done.runs)
        if runs is not None:
            runs.finish()
        if writer is not None:
            writer.close()
    return done


def _add_points(client: Client, row: RunRow, writer: writing.SeriesWriter) -> int:
    count = 0
    for key in client.index.keys(row.id):
        try:
            series = client.index.series(row.id, key)
        except NotFound:
            continue  # deleted meanwhile
        writer.add(row.id, key, series)
        count += len(series)
    return count


class _Runs:
    """The rows of a table of runs, until its columns are known."""

    def __init__(self, file: IO[bytes], kind: str, *, folder: Path) -> None:
        self._file = file
        self._kind = kind
        self._waiting = tempfile.TemporaryFile("w+", encoding="ascii", dir=folder)  # noqa: SIM115  # closed by __exit__
        self._names: dict[str, None] = {}
        self._kinds = Kinds()

    def __enter__(self) -> "_Runs":
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()

    def add(self, row: RunRow) -> None:
        if self._kind == "json":
            writing.write_line(self._file, documents.run(row) | {"labels": row.labels})
            return
        found = flat(row)
        self._names |= dict.fromkeys(found)
        self._kinds.see(found)
        json.dump(found, self._waiting)
        self._waiting.write("\n")

    def finish(self) -> None:
        """Write the table."""
        if self._kind == "json":
            return
        order = (CONFIG, METRIC, LABEL)
        more = sorted(
            self._names.keys() - FIELDS.keys(), key=lambda name: (order.index(name.partition(".")[0] + "."), name)
        )
        columns = [*FIELDS, *more]
        self._waiting.seek(0)
        rows = (json.loads(line) for line in self._waiting)
        if self._kind == "csv":
            writing.write_runs_csv(self._file, columns, rows)
        else:
            writing.write_runs_parquet(self._file, columns, rows, self._kinds)


def flat(row: RunRow) -> Mapping[str, Any]:
    """A run as one row; times as texts, what it lacks is missing or None."""
    found: dict[str, Any] = {
        name: writing.iso(value) if value is not None and FIELDS[name] == "time" else value
        for name, value in fields_of(row).items()
    }
    found |= {f"{CONFIG}{name}": value for name, value in leaves(row.config)}
    found |= {f"{LABEL}{name}": text for name, text in row.labels.items()}
    for key, summary in row.summary.items():
        found |= {f"{METRIC}{key}.{name}": getattr(summary, name) for name in STATISTICS}
    return found
