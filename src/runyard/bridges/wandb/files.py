"""The files of a run of W&B: those that it saved, those of its artifacts, and what it said of itself.

A run file can name any path of this machine. So nothing outside of the folder that was named is read, unless the caller
says so; what is left out is listed.
"""

import json
import os
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from runyard.bridges.intake import Arriving, checked_name
from runyard.bridges.wandb.folders import Told
from runyard.bridges.wandb.messages import ArtifactSaid
from runyard.errors import UsageError
from runyard.index.rows import from_ns

_OWN_FILES = "wandb"  # the folder of a run's files that holds what W&B knew of it
_OUTPUT_FILE = "output.log"
_OF_ITSELF = frozenset({"run_table", "wandb-history", "wandb-run", "job", "run"})  # artifacts made of what was logged


class RunFiles:
    """The files of one run."""

    def __init__(self, told: Told, root: Path, *, outside: bool) -> None:
        """`root` is the folder, or the run file, that was named; with `outside` files elsewhere are read, too."""
        self._told = told
        self._root = root if root.is_dir() else root.parent
        self._outside = outside
        self._elsewhere: list[str] = []

    def find(self, name: str) -> Path | None:
        """A media file of the run; None if it is not here, or somewhere else."""
        try:
            checked_name(name)
        except UsageError:
            return None
        for folder in reversed(self._told.folders):
            path = folder / name
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                return path
        return None

    def bring(self, run: Arriving, *, journalled: Collection[str], has_output: bool) -> None:
        """Bring what is not here yet.

        Args:
            journalled: media files that became events, and need not be kept beside them.
            has_output: whether what was printed came in the run file, so that the log of it need not be kept.
        """
        at = from_ns(self._told.heard_ns)
        for name, path in self._files():
            if name in journalled or (name == _OUTPUT_FILE and has_output):
                continue
            self._bring_file(run, name, path, at)
        told = self._told
        kept = {"summary": told.summary, "artifacts": [_document(each) for each in told.artifacts], "used": told.used}
        for name, content in kept.items():
            if content:
                run.file(f"{_OWN_FILES}/{name}.json", json.dumps(content, indent=1, default=str).encode(), at=at)
        for artifact in told.artifacts:
            if artifact.kind not in _OF_ITSELF:
                self._bring_artifact(run, artifact, at)
        if self._elsewhere:
            shown = ", ".join(self._elsewhere[:3]) + (", …" if len(self._elsewhere) > 3 else "")
            count = "1 file" if len(self._elsewhere) == 1 else f"{len(self._elsewhere):,} files"
            told.problems.append(
                f"{told.place}: {count} outside of {self._root} left out ({shown}); "
                "--outside takes in what is still there."
            )

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Names and places below `files/`, those of a later file in place of those of an earlier one."""
        found: dict[str, Path] = {}
        for folder in self._told.folders:
            for place, inner, names in os.walk(folder):
                inner.sort()
                found |= {Path(place, name).relative_to(folder).as_posix(): Path(place, name) for name in sorted(names)}
        yield from found.items()

    def _bring_artifact(self, run: Arriving, artifact: ArtifactSaid, at: datetime) -> None:
        for entry in artifact.entries:
            if entry.local_path and not entry.ref:
                name = f"artifacts/{artifact.name}/{entry.path}"
                self._bring_file(
                    run, name, Path(entry.local_path), at, kind="model" if artifact.kind == "model" else "artifact"
                )

    def _bring_file(self, run: Arriving, name: str, path: Path, at: datetime, *, kind: str = "artifact") -> None:
        try:
            place = path.resolve()
            if not place.is_relative_to(self._root) and not self._outside:
                self._elsewhere.append(name)
            elif place.is_file():
                run.file(name, place, at=at, kind=kind)
            else:
                self._told.problems.append(f"{self._told.place}: the file {name} is not at {place} any more.")
        except (UsageError, OSError) as problem:
            self._told.problems.append(f"{self._told.place}, file {name[:200]}: {problem}")


def _document(artifact: ArtifactSaid) -> dict[str, Any]:
    try:
        metadata = json.loads(artifact.metadata) if artifact.metadata else None
    except ValueError:
        metadata = artifact.metadata
    return {
        "name": artifact.name,
        "type": artifact.kind,
        "description": artifact.description,
        "aliases": artifact.aliases,
        "metadata": metadata,
        "files": [
            {"path": each.path, "size_bytes": each.size_bytes, "digest": each.digest, "ref": each.ref}
            for each in artifact.entries
        ],
    }
