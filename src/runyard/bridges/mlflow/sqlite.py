"""MLflow's SQLite file, read with plain SQL and never written."""

import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from runyard.bridges.mlflow.folder import files_below
from runyard.bridges.mlflow.model import Artifact, Points, TheirRun, check_asked
from runyard.errors import UsageError

_RUNS = """
    SELECT r.*, e.name AS experiment_name FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active' ORDER BY r.experiment_id, r.start_time
"""
_EXPERIMENTS = "SELECT name FROM experiments WHERE lifecycle_stage = 'active'"
_PROXY = "mlflow-artifacts"
_PROXY_FOLDER = "mlartifacts"  # where `mlflow server` keeps what comes through it


class SqliteReader:
    """The runs of a file. Artifacts are looked for beside it and below `artifacts`, and nowhere else.

    Raises:
        UsageError: there is no such file, or it is not MLflow's.
    """

    def __init__(self, path: Path, *, artifacts: Path | None = None, experiments: Sequence[str] = ()) -> None:
        self.problems: list[str] = []
        if not path.is_file():
            raise UsageError(f"There is no file {path}. An SQLite file is named as in sqlite:///mlflow.db.")
        self._folder = path.absolute().parent
        self._artifacts_at = artifacts.absolute() if artifacts else None
        self._database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        self._database.row_factory = sqlite3.Row
        try:
            names = [str(row["name"]) for row in self._database.execute(_EXPERIMENTS)]
            found = [dict(row) for row in self._database.execute(_RUNS)]
        except sqlite3.DatabaseError as problem:
            self._database.close()
            raise UsageError(f"{path} is no database of MLflow runs: {problem}.") from None
        try:
            check_asked(experiments, names, str(path))
        except UsageError:
            self._database.close()
            raise
        self._found = [each for each in found if not experiments or each["experiment_name"] in experiments]

    def count(self) -> int:
        return len(self._found)

    def runs(self) -> Iterator[TheirRun]:
        for found in self._found:
            run_id = str(found["run_uuid"])
            tags = self._texts("tags", run_id)
            yield TheirRun(
                id=run_id,
                name=str(found.get("name") or tags.get("mlflow.runName") or run_id),
                experiment=str(found["experiment_name"]),
                user=str(found.get("user_id") or ""),
                status=str(found.get("status") or "RUNNING"),
                start_ms=found.get("start_time") or None,
                end_ms=found.get("end_time") or None,
                params=self._texts("params", run_id),
                tags=tags,
                metrics=partial(self._metrics, run_id),
                artifacts=partial(self._artifacts, run_id, str(found.get("artifact_uri") or "")),
            )

    def close(self) -> None:
        self._database.close()

    def _texts(self, table: str, run_id: str) -> dict[str, str]:
        rows = self._rows(f"SELECT key, value FROM {table} WHERE run_uuid = ? ORDER BY key", run_id)
        return {str(key): "" if value is None else str(value) for key, value in rows}

    def _metrics(self, run_id: str) -> Iterator[tuple[str, Points]]:
        question = "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, rowid"
        series: dict[str, tuple[list[int], list[float], list[int]]] = {}
        for key, value, time_ms, step, is_nan in self._rows(question, run_id):
            steps, values, times = series.setdefault(str(key), ([], [], []))
            steps.append(int(step or 0))
            values.append(math.nan if is_nan else float(value))
            times.append(int(time_ms or 0))
        for key, columns in series.items():
            yield key, Points(*columns)

    def _artifacts(self, run_id: str, uri: str) -> Iterator[Artifact]:
        folder = self._place(uri)
        if folder is None:
            self.problems.append(
                f"The artifacts of run {run_id} are at {uri[:200]}, which is not beside the file. "
                "Name the folder above them with --artifacts."
            )
            return
        for name, path in files_below(folder):
            yield Artifact(name=name, read=partial(Path, path))

    def _place(self, uri: str) -> Path | None:
        """Where artifacts lie: never outside of the two folders that the caller named."""
        parts = urlsplit(uri)
        path = unquote(parts.path)
        if parts.scheme == _PROXY:
            return self._below(self._artifacts_at or self._folder / _PROXY_FOLDER, path.lstrip("/"))
        if parts.scheme not in ("", "file"):
            return None
        roots = [root for root in (self._artifacts_at, self._folder) if root]
        for root in roots:
            inside = os.path.relpath(path, root) if path.startswith("/") else path
            found = self._below(root, inside)
            if found is not None:
                return found
        return None

    @staticmethod
    def _below(root: Path, inside: str) -> Path | None:
        found = (root / inside).resolve()
        return found if found.is_relative_to(root.resolve()) and not inside.startswith("..") else None

    def _rows(self, question: str, run_id: str) -> list[Any]:  # tuples of what SQLite holds
        try:
            return self._database.execute(question, (run_id,)).fetchall()
        except sqlite3.DatabaseError as problem:
            self.problems.append(f"Of run {run_id} a table cannot be read: {problem}.")
            return []
