"""Where the runs of a page come from: a home, or a packed folder that has all it needs."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runyard.apps import facts as facts_file
from runyard.apps.facts import Subject, facts_of, read_facts
from runyard.client import Client, open_client
from runyard.client.runs import TrackedRun
from runyard.errors import NotFound
from runyard.project.models import best_run, fetch_model
from runyard.project.project import Project, find_project
from runyard.tracking.predictions import FILE as PREDICTIONS_FILE
from runyard.tracking.predictions import read_predictions

PACK_FILE = "demo.json"
RUNS_FOLDER = "runs"
MODEL_FOLDER = "model"
BEST, LAST = "best", "last"


class Source(Protocol):
    """Gives runs and their models. Safe to be called by several threads."""

    def subject(self, text: str) -> Subject:
        """The run that `text` means, with its answers if it kept them.

        Raises:
            NotFound: there is none.
        """
        ...

    def model(self, run_id: str) -> Path | None:
        """A folder with the run's model; None if it is not at hand."""
        ...


@dataclass(frozen=True)
class HomeSource:
    """The home of this machine, or the team's server.

    Attributes:
        root: of the project that "best" and "last" are looked for in.
        cache: a folder for models.
    """

    root: Path
    cache: Path

    def subject(self, text: str) -> Subject:
        with _opened() as client:
            project = find_project(self.root)
            run = TrackedRun(client, client.index.get(resolve(client, project, text)))
            try:
                predictions = run.predictions()
            except NotFound:
                predictions = None
            return Subject(facts=facts_of(run, project.metrics), predictions=predictions)

    def model(self, run_id: str) -> Path | None:
        target = self.cache / run_id
        if target.is_dir():
            return target
        with _opened() as client, tempfile.TemporaryDirectory(dir=self.cache) as scratch:
            draft = Path(scratch) / MODEL_FOLDER
            try:
                fetch_model(client, run_id, draft)
            except NotFound:
                return None
            if not target.is_dir():  # another session may have been faster
                draft.rename(target)
        return target


@dataclass(frozen=True)
class PackSource:
    """A folder that `runyard demo pack` made."""

    folder: Path

    def subject(self, text: str) -> Subject:
        folder = self._folder(text)
        path = folder / PREDICTIONS_FILE
        predictions = read_predictions(path) if path.is_file() else None
        return Subject(facts=read_facts(folder / facts_file.FILE), predictions=predictions)

    def model(self, run_id: str) -> Path | None:
        folder = self._folder(run_id) / MODEL_FOLDER
        return folder if folder.is_dir() else None

    def _folder(self, run_id: str) -> Path:
        """Only a run that lies there is one: a name never leads elsewhere."""
        for folder in sorted((self.folder / RUNS_FOLDER).iterdir()):
            if folder.name == run_id:
                return folder
        raise NotFound(f"The run '{run_id}' is not in {self.folder}.")


def resolve(client: Client, project: Project, text: str) -> str:
    """The id of the run that an id, its beginning, a name, "best" or "last" means.

    Raises:
        NotFound: none.
        UsageError: several.
    """
    if text == BEST:
        return best_run(client, project, None)
    if text == LAST:
        rows = client.index.find('state == "COMPLETED"', project=project.name, sort="-created_at", limit=1)
        if not rows:
            raise NotFound(f"No run of {project.name} has completed yet. `python run.py train` makes one.")
        return rows[0].id
    return client.index.resolve(text)


@contextmanager
def _opened() -> Iterator[Client]:
    client = open_client()
    try:
        client.refresh()
        yield client
    finally:
        client.close()
