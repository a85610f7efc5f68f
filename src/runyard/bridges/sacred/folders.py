"""Sacred's runs in folders: those of FileStorageObserver and of TinyDbObserver.

    N/run.json  config.json  info.json  metrics.json  cout.txt  <artifacts>     _sources/  _resources/
    metadata.json  hashfs/aa/bb/cc/<rest of the MD5>

Sacred rewrites these files at every heartbeat and not atomically, so any of them may be cut. What the documents name is
looked for below the folder only, wherever it says it is.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runyard.bridges.sacred.names import file_name
from runyard.bridges.sacred.originals import Original, Series, StoredFile, Unreadable
from runyard.bridges.sacred.values import unmarked
from runyard.errors import NotFound, UsageError

RUN, CONFIG, INFO, METRICS, OUTPUT = "run.json", "config.json", "info.json", "metrics.json", "cout.txt"
METADATA = "metadata.json"


def is_tinydb(folder: Path) -> bool:
    """Whether a TinyDbObserver wrote there."""
    return (folder / METADATA).is_file()


class FolderReader:
    """The runs of a FileStorageObserver, or a single one by its own folder."""

    def __init__(self, folder: Path) -> None:
        """Look what there is.

        Raises:
            NotFound: there is no folder, or no run of Sacred in it.
        """
        self.problems: list[str] = []
        if folder.is_file():
            raise UsageError(f"{folder} is a file and no database of SQLite. Name the folder of a FileStorageObserver.")
        if not folder.is_dir():
            raise NotFound(f"There is no folder {folder}. Name the one that was given to FileStorageObserver.")
        self._root = folder.resolve()
        if _is_run(self._root):
            self._folders = [self._root]
            self._root = self._root.parent
        else:
            self._folders = sorted((each for each in self._root.iterdir() if _is_run(each)), key=_by_number)
        if not self._folders:
            raise NotFound(
                f"{folder} holds no runs of Sacred: neither folders with a {RUN} (FileStorageObserver) nor a "
                f"{METADATA} (TinyDbObserver)."
            )

    def count(self) -> int:
        return len(self._folders)

    def runs(self) -> Iterator[Original]:
        for folder in self._folders:
            yield self._run(folder)

    def close(self) -> None:
        """Nothing is held."""

    def _run(self, folder: Path) -> Original:
        problems: list[str] = []
        document = _mapping(folder / RUN, problems)
        document["_id"] = int(folder.name) if folder.name.isdigit() else folder.name
        document["config"] = _mapping(folder / CONFIG, problems)
        document["info"] = _mapping(folder / INFO, problems)
        if (folder / OUTPUT).is_file():
            document["captured_out"] = (folder / OUTPUT).read_text("utf-8", "replace")
        if not document.get("start_time") and document.get("status") != "QUEUED":
            written_s = (folder / RUN).stat().st_mtime if (folder / RUN).exists() else folder.stat().st_mtime
            document["start_time"] = datetime.fromtimestamp(written_s, UTC)

        def series() -> Iterator[Series]:
            for name, points in _mapping(folder / METRICS, problems).items():
                if isinstance(points, Mapping):
                    times = points.get("timestamps")
                    yield Series(
                        name,
                        _listed(points.get("steps")),
                        _listed(points.get("values")),
                        times if isinstance(times, list) else None,
                    )
                else:
                    problems.append(f"{folder / METRICS}: the metric {name[:100]!r} holds no points.")

        return Original(
            source=f"sacred:file:{self._root}/{folder.name}",
            place=str(folder),
            document=document,
            series=series,
            files=lambda: self._files(folder, document),
            problems=problems,
        )

    def _files(self, folder: Path, document: Mapping[str, Any]) -> Iterator[StoredFile]:
        experiment = document.get("experiment")
        for name, place in _pairs(experiment.get("sources") if isinstance(experiment, Mapping) else None):
            # the sources of a QUEUED run lie beside it
            yield self._file(f"sources/{name}", name, self._root / place, folder / name, folder / Path(name).name)
        for name, place in _pairs(document.get("resources")):
            yield self._file(f"resources/{Path(name).name}", name, self._root / "_resources" / Path(place).name)
        for artifact in _listed(document.get("artifacts")):
            name = str(artifact.get("name") if isinstance(artifact, Mapping) else artifact)
            yield self._file(name, name, folder / name)

    def _file(self, kept: str, name: str, *places: Path) -> StoredFile:
        return StoredFile(file_name(kept), lambda: self._first(places, name))

    def _first(self, places: tuple[Path, ...], name: str) -> Path:
        for place in places:
            try:
                found = place.resolve()
            except (OSError, RuntimeError, ValueError):
                continue
            if found.is_relative_to(self._root) and found.is_file():
                return found
        raise Unreadable(f"the file {name[:200]!r} is not there")


class TinyDbReader:
    """The runs of a TinyDbObserver. It keeps no metrics."""

    def __init__(self, folder: Path) -> None:
        """Read what there is.

        Raises:
            NotFound: there is no metadata.json.
            UsageError: it holds no runs, since it is cut or something else.
        """
        self.problems: list[str] = []
        self._root = folder.resolve()
        path = self._root / METADATA
        if not path.is_file():
            raise NotFound(f"There is no {path}. Name the folder that was given to TinyDbObserver.")
        found = _mapping(path, self.problems)
        runs = found.get("runs", found.get("_default"))
        if not isinstance(runs, Mapping):
            raise UsageError(f"{path} cannot be read as TinyDB: {' '.join(self.problems) or 'it has no table of runs'}")
        self._runs = {str(key): value for key, value in runs.items() if isinstance(value, Mapping)}

    def count(self) -> int:
        return len(self._runs)

    def runs(self) -> Iterator[Original]:
        for key, value in self._runs.items():
            document = unmarked(value)
            run_id = document.setdefault("_id", key)
            yield Original(
                source=f"sacred:tinydb:{self._root}/{run_id}",
                place=f"{self._root / METADATA}, run {run_id}",
                document=document,
                files=lambda document=document: self._files(document),  # type: ignore[misc]  # bound now, not later
            )

    def close(self) -> None:
        """Nothing is held."""

    def _files(self, document: Mapping[str, Any]) -> Iterator[StoredFile]:
        experiment = document.get("experiment")
        for entry in _listed(experiment.get("sources") if isinstance(experiment, Mapping) else None):
            yield from self._file("sources/", entry, 1)
        for entry in _listed(document.get("resources")):
            yield from self._file("resources/", entry, 1)
        for entry in _listed(document.get("artifacts")):
            yield from self._file("", entry, 2)

    def _file(self, prefix: str, entry: Any, at: int) -> Iterator[StoredFile]:
        if isinstance(entry, list) and len(entry) > at and isinstance(entry[0], str):
            name = Path(entry[0]).name if prefix == "resources/" else entry[0]
            yield StoredFile(prefix + file_name(name), lambda: self._content(str(entry[at])))

    def _content(self, md5: str) -> Path:
        if md5.isalnum():
            place = self._root / "hashfs" / md5[:2] / md5[2:4] / md5[4:6]
            for found in (place / md5[6:], *sorted(place.glob(f"{md5[6:]}.*"))):
                if found.is_file():
                    return found
        raise Unreadable(f"no file has the MD5 {md5[:40]!r}")


def _is_run(folder: Path) -> bool:
    names = (RUN, CONFIG, METRICS)
    return folder.is_dir() and not folder.name.startswith("_") and any((folder / name).is_file() for name in names)


def _by_number(folder: Path) -> tuple[int, str]:
    return (int(folder.name) if folder.name.isdigit() else 1 << 62, folder.name)


def _mapping(path: Path, problems: list[str]) -> dict[str, Any]:
    """The object in a file of JSON, NaN included; empty if there is none, told if it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError, OSError) as problem:
        problems.append(f"{path} cannot be read: {problem}.")
        return {}
    if isinstance(found, dict):
        return found
    problems.append(f"{path} holds no object of JSON.")
    return {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    for entry in _listed(value):
        pair = entry.get("py/tuple") if isinstance(entry, Mapping) else entry
        if isinstance(pair, list) and len(pair) >= 2 and isinstance(pair[0], str):
            yield pair[0], str(pair[1])
