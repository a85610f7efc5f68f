"""Labels that somebody thinks are wrong: a CSV file of the project, which can be committed and handed on.

    id,path,label,answer,right_label,run,at

Several people may write at once: each change reads the file, changes it and replaces it under a lock.
"""

import csv
import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from runyard.drafts import drafted
from runyard.errors import UsageError
from runyard.formulas import guarded, unguarded

FILE = "labels-in-doubt.csv"


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A label that is said to be wrong. `right_label` is empty where nobody said what would be right; `at` is UTC."""

    id: str
    path: str = ""
    label: str = ""
    answer: str = ""
    right_label: str = ""
    run: str = ""
    at: str = ""


_COLUMNS = [column.name for column in fields(Doubt)]


class Doubts:
    """The file at `path`; it need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> dict[str, Doubt]:
        """All labels in doubt, by the id of their sample.

        Raises:
            UsageError: the file is no such table.
        """
        try:
            with self.path.open(encoding="utf-8", newline="") as file:
                text = file.read()
        except FileNotFoundError:
            return {}
        except (UnicodeDecodeError, OSError) as problem:
            raise UsageError(f"{self.path} cannot be read: {problem}.") from None
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if "id" not in (rows.fieldnames or ()):
            raise UsageError(f"{self.path} is no table of labels in doubt: it has no column 'id'.")
        found = [Doubt(**{name: unguarded(row.get(name) or "") for name in _COLUMNS}) for row in rows]
        return {doubt.id: doubt for doubt in found}

    def add(self, doubt: Doubt) -> None:
        """Write a doubt down; it replaces an earlier one about the same sample.

        Raises:
            OSError: the file cannot be written.
        """
        at = doubt.at or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        with self._locked():
            self._write({**self.all(), doubt.id: Doubt(**{**asdict(doubt), "at": at})})

    def remove(self, sample_id: str) -> None:
        """Take a doubt back; nothing happens if there is none."""
        with self._locked():
            known = self.all()
            if known.pop(sample_id, None):
                self._write(known)

    def csv(self) -> str:
        """The content of the file."""
        return _as_csv(self.all())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)  # the folder: the file itself is replaced
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, doubts: dict[str, Doubt]) -> None:
        with drafted(self.path) as draft:
            draft.write_text(_as_csv(doubts), encoding="utf-8", newline="")


def _as_csv(doubts: dict[str, Doubt]) -> str:
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows({name: guarded(text) for name, text in asdict(doubt).items()} for doubt in doubts.values())
    return out.getvalue()
