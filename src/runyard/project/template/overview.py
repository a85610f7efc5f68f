"""All projects of a home at a glance: which template each has, its last run, how CI went."""

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from runyard.client import Client
from runyard.client.kept_file import KeptFile
from runyard.hosts import host_name
from runyard.index import RunRow
from runyard.journal import Home
from runyard.project.project import RUN_FILE, SETTINGS_FILE
from runyard.project.template.answers import read_answers
from runyard.project.template.checking import latest_version, versions_behind

CI_FILE = "ci.json"


class TemplateState(msgspec.Struct, frozen=True, kw_only=True):
    """The template of a project; `latest` and `behind` are None where nobody here knows its versions."""

    version: str
    latest: str | None
    behind: int | None


class CIState(msgspec.Struct, frozen=True, kw_only=True):
    """How the latest pipeline of a project went when somebody asked."""

    state: str
    at: datetime


class ProjectState(msgspec.Struct, frozen=True, kw_only=True):
    """A project; `folder` is None if it is not on this machine, `last` if nothing ran."""

    name: str
    folder: Path | None
    template: TemplateState | None
    last: RunRow | None
    ci: CIState | None


class KnownCI:
    """What was learnt about CI, kept in `ci.json` of the home: nobody's run, so no run folder holds it."""

    def __init__(self, home: Home) -> None:
        self._file: KeptFile[dict[str, CIState]] = KeptFile(
            home.path / CI_FILE, name="pipelines", kind=dict[str, CIState], absent=dict
        )

    def all(self) -> dict[str, CIState]:
        """By the name of the project."""
        return self._file.read()

    def note(self, project: str, state: str) -> CIState:
        """Remember what a pipeline's state is now."""
        noted = CIState(state=state, at=datetime.fromtimestamp(time.time(), UTC))
        with self._file.changing() as known:
            known[project] = noted
        return noted


def template_of(folder: Path | None) -> TemplateState | None:
    """What a project's folder says about its template; None if it says nothing."""
    answers = read_answers(folder) if folder else None
    if answers is None or not answers.version:
        return None
    return TemplateState(
        version=answers.version, latest=latest_version(answers) or None, behind=versions_behind(answers)
    )


def folder_of(client: Client, newest: RunRow) -> Path | None:
    """The folder of the project that a run belongs to, if it was submitted on this machine and is still a project."""
    spec = client.spec(newest.id)
    folder = Path(spec.project_dir) if spec.project_dir and spec.host == host_name() else None
    return folder if folder and (folder / RUN_FILE).is_file() and (folder / SETTINGS_FILE).is_file() else None


def newest_runs(client: Client) -> list[RunRow]:
    """The newest run of each project, the newest of all first."""
    found: list[RunRow] = []
    while True:
        names = [row.project for row in found]
        rows = client.index.find(f"project not in {names!r}" if names else None, sort="-created_at", limit=1)
        if not rows:
            return found
        found += rows
