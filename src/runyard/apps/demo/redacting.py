"""A packed demo without what is nobody else's business.

Answers and facts are redacted as in a report. Of the code only that stays which a page is made of, unchanged, since
nobody could vouch for code that a program has edited; where it names paths, people or machines is told.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from runyard.apps.demo.layout import APP_FOLDER, REQUIREMENTS
from runyard.apps.facts import Subject
from runyard.apps.redaction import Cleaner, redacted_together
from runyard.apps.show.sources import MODEL_FOLDER, RUNS_FOLDER
from runyard.tracking.models import read_manifest, write_manifest

_KEPT = ("src", "tests/data")
_LARGEST_TEXT_BYTES = 1 << 20
_MOST_TOLD = 8


@dataclass(frozen=True)
class Redaction:
    """Runs as they may be shown, and what knows which names have to go."""

    subjects: list[Subject]
    clean: Cleaner

    @classmethod
    def of(cls, subjects: Sequence[Subject]) -> "Redaction":
        """That of the runs of one demo."""
        return cls(redacted_together(subjects), Cleaner.of(subjects))

    def of_folder(self, folder: Path) -> list[str]:
        """Redact what else lies in a demo's folder; return whole sentences about what somebody should look at."""
        _keep_only(folder / APP_FOLDER)
        for model in sorted((folder / RUNS_FOLDER).glob(f"*/{MODEL_FOLDER}")):
            self._redact_model(model)
        _redact_requirements(folder / REQUIREMENTS)
        told = list(self._telling(folder / APP_FOLDER))
        if not told:
            return []
        more = f", and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        return [
            f"The code names paths, people or machines, and was not changed: {', '.join(told[:_MOST_TOLD])}{more}. "
            "Look whether that may be seen."
        ]

    def _redact_model(self, folder: Path) -> None:
        """What a package tells of its origin; weights, and so the model's id, stay what they are."""
        manifest = read_manifest(folder)
        for card in folder.glob("*.md"):
            text = card.read_text(encoding="utf-8")
            card.write_text("\n".join(self.clean(line) for line in text.split("\n")), encoding="utf-8")
        write_manifest(folder, msgspec.structs.replace(manifest, origin=self._cleaned(manifest.origin)))

    def _cleaned(self, document: Any) -> Any:  # JSON
        if isinstance(document, str):
            return self.clean(document)
        if isinstance(document, dict):
            return {name: self._cleaned(value) for name, value in document.items()}
        return [self._cleaned(each) for each in document] if isinstance(document, list) else document

    def _telling(self, folder: Path) -> Iterator[str]:
        """Places, as file:line, that tell something."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            if path.stat().st_size > _LARGEST_TEXT_BYTES:
                continue
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError:  # a picture, an array
                continue
            found = (number for number, line in enumerate(lines, start=1) if self.clean.finds(line))
            yield from (f"{path.relative_to(folder).as_posix()}:{number}" for number in found)


def _keep_only(app: Path) -> None:
    """Take away all but the folders in `_KEPT`."""
    kept = [app / name for name in _KEPT]
    for path in sorted(app.rglob("*"), reverse=True):  # what lies in a folder comes before it
        if any(path.is_relative_to(each) or each.is_relative_to(path) for each in kept):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _redact_requirements(path: Path) -> None:
    """Names and versions stay; from where they were installed here does not matter any more."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    wanted = [re.sub(r"\s*(?:@\s|#).*", "", line) for line in lines if not line.startswith(("-", ".", "/", "#"))]
    path.write_text("\n".join(line for line in wanted if "://" not in line) + "\n", encoding="utf-8")
