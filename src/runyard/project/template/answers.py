"""What a project remembers of its template: `.copier-answers.yml`."""

import json
from dataclasses import dataclass
from pathlib import Path

ANSWERS_FILE = ".copier-answers.yml"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Where a project was made from.

    Attributes:
        address: of the template, as Copier wrote it.
        version: its tag; empty if none was noted.
        values: the answers to the template's questions.
    """

    address: str
    version: str
    values: dict[str, object]


def read_answers(root: Path) -> Answers | None:
    """The answers of the project at `root`; None if it has none that can be read."""
    try:
        text = (root / ANSWERS_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = _as_lines(text)
    if found is None:
        found = _as_yaml(text)
    if found is None:
        return None
    values = {key: value for key, value in found.items() if not key.startswith("_")}
    return Answers(address=str(found.get("_src_path") or ""), version=str(found.get("_commit") or ""), values=values)


def _as_lines(text: str) -> dict[str, object] | None:
    """One `key: JSON` a line, as our own template writes them: a YAML parser takes longer to import than this to run."""
    found: dict[str, object] = {}
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        key, colon, value = line.partition(": ")
        try:
            found[key] = json.loads(value)
        except ValueError:
            return None
        if not colon:
            return None
    return found


def _as_yaml(text: str) -> dict[str, object] | None:
    from ruamel.yaml import YAML  # late: only answers of other templates need it
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe").load(text)
    except YAMLError:
        return None
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else None
