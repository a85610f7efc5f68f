"""MLflow's file store: a folder `mlruns` with a folder an experiment, and in it one a run."""

import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from runyard.bridges.mlflow.model import RUNNING, STATUSES, Artifact, Points, TheirRun, check_asked
from runyard.errors import UsageError

_META = "meta.yaml"
_NOT_RUNS = frozenset({"models", "tags", "traces", "datasets", "assessments"})
_LARGEST_META_BYTES = 1 << 20
_DELETED = "deleted"


class FolderReader:
    """The runs of a folder.

    Raises:
        UsageError: it is no folder of MLflow's.
    """

    def __init__(self, folder: Path, *, experiments: Sequence[str] = ()) -> None:
        self.problems: list[str] = []
        inner = folder / "mlruns"
        self._root = inner if inner.is_dir() else folder
        if not self._root.is_dir():
            raise UsageError(f"There is no folder {folder}. Name the folder `mlruns`, an SQLite file, or an address.")
        self._folders = [run for experiment in self._sorted(self._root) for run in self._runs_of(experiment)]
        if not self._folders and not any((each / _META).exists() for each in self._sorted(self._root)):
            raise UsageError(f"{folder} is no folder of MLflow runs: none of its folders holds a {_META}.")
        self._names = {each: self._experiment(each) for each in {run.parent for run in self._folders}}
        check_asked(experiments, [name for name in self._names.values() if name is not None], str(folder))
        if experiments:
            self._folders = [run for run in self._folders if self._names[run.parent] in experiments]

    def count(self) -> int:
        return len(self._folders)

    def runs(self) -> Iterator[TheirRun]:
        for folder in self._folders:
            name = self._names[folder.parent]
            meta = self._meta(folder / _META) if name is not None else None
            if meta is not None and name is not None and meta.get("lifecycle_stage") != _DELETED:
                yield self._run(folder, meta, name)

    def close(self) -> None:
        """Nothing is open."""

    def _runs_of(self, experiment: Path) -> list[Path]:
        if experiment.name.startswith(".") or experiment.name in _NOT_RUNS:
            return []
        runs = [
            each for each in self._sorted(experiment) if each.name not in _NOT_RUNS and not each.name.startswith(".")
        ]
        return [each for each in runs if (each / _META).exists() or (each / "metrics").is_dir()]

    def _sorted(self, folder: Path) -> list[Path]:
        try:
            return _sorted(folder)
        except FileNotFoundError:  # it went away in this moment
            return []
        except OSError as problem:
            self.problems.append(f"{folder} cannot be read: {problem.strerror}.")
            return []

    def _experiment(self, folder: Path) -> str | None:
        """Its name; None if it is deleted. Without its meta file the name of the folder has to do."""
        meta = self._meta(folder / _META)
        if meta is None:
            return folder.name
        return None if meta.get("lifecycle_stage") == _DELETED else str(meta.get("name", folder.name))

    def _run(self, folder: Path, meta: dict[str, Any], experiment: str) -> TheirRun:
        tags, params = self._texts(folder / "tags"), self._texts(folder / "params")
        run_id = str(meta.get("run_id") or meta.get("run_uuid") or folder.name)
        return TheirRun(
            id=run_id,
            name=str(meta.get("run_name") or meta.get("name") or tags.get("mlflow.runName") or run_id),
            experiment=experiment,
            user=str(meta.get("user_id") or tags.get("mlflow.user") or ""),
            status=_status(meta.get("status")),
            start_ms=_whole(meta.get("start_time")),
            end_ms=_whole(meta.get("end_time")),
            params=params,
            tags=tags,
            metrics=partial(self._metrics, folder / "metrics"),
            artifacts=partial(self._artifacts, folder / "artifacts"),
        )

    def _meta(self, path: Path) -> dict[str, Any] | None:
        try:
            if path.stat().st_size > _LARGEST_META_BYTES:
                raise ValueError("it is too large")
            found = YAML(typ="safe", pure=True).load(path.read_text())
            if not isinstance(found, dict):
                raise ValueError("it holds no mapping")
        except FileNotFoundError:
            self.problems.append(f"{path} is missing.")
        except (OSError, ValueError, YAMLError) as problem:  # UnicodeDecodeError among them
            self.problems.append(f"{path} cannot be read: {str(problem).splitlines()[0] if str(problem) else problem}.")
        else:
            return found
        return None

    def _texts(self, folder: Path) -> dict[str, str]:
        found = {}
        for name, path in files_below(folder):
            try:
                found[name] = path.read_text().removesuffix("\n")
            except (OSError, UnicodeDecodeError) as problem:
                self.problems.append(f"{path} cannot be read: {problem}.")
        return found

    def _metrics(self, folder: Path) -> Iterator[tuple[str, Points]]:
        for name, path in files_below(folder):
            steps: list[int] = []
            values: list[float] = []
            times: list[int] = []
            for number, line in enumerate(_lines(path), start=1):
                try:
                    time_ms, value, *rest = line.split()
                    point = int(time_ms), float(value), int(rest[0]) if rest else 0
                except ValueError:
                    self.problems.append(f"{path}, line {number}: {line[:60]!r} is no time, value and step.")
                    continue
                times.append(point[0])
                values.append(point[1])
                steps.append(point[2])
            if steps:
                yield name, Points(steps, values, times)

    def _artifacts(self, folder: Path) -> Iterator[Artifact]:
        for name, path in files_below(folder):
            yield Artifact(name=name, read=partial(_itself, path))


def _itself(path: Path) -> Path:
    return path


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files below a folder and their names with /, sorted; links are left out, since they may lead anywhere."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(errors="replace").splitlines() if line.strip()]


def _sorted(folder: Path) -> list[Path]:
    """The folders in a folder; numbers in their order."""
    found = [each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]
    return sorted(found, key=lambda each: (not re.fullmatch(r"\d{1,30}", each.name), each.name.zfill(30)))


def _status(value: Any) -> str:  # of YAML: a number in all versions so far
    if isinstance(value, int) and 1 <= value <= len(STATUSES):
        return STATUSES[value - 1]
    return value if isinstance(value, str) and value in STATUSES else RUNNING


def _whole(value: Any) -> int | None:  # of YAML
    return int(value) if isinstance(value, int | float) and value else None
