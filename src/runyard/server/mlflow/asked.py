"""What an endpoint gets: who asks what, of which project; and what all of them share as long as the server lives."""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from runyard.client import Client
from runyard.errors import NotAllowed
from runyard.index import RunRow
from runyard.server.mlflow.errors import MISSING, MlflowError
from runyard.server.mlflow.ledger import Ledger, Ledgers
from runyard.server.mlflow.names import check_run_id
from runyard.server.mlflow.pens import Pen, Pens, require
from runyard.server.watching import Watcher


class Dialect:
    """What outlives a request: open journals."""

    def __init__(self, client: Client, watcher: Watcher) -> None:
        self.client = client
        self.watcher = watcher
        self.pens = Pens(client)
        self.ledgers = Ledgers(client.home)

    def close(self) -> None:
        """Let go of all files."""
        self.pens.close()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        client: the home in the hands of whoever asks.
        values: the parameters that the endpoint knows, with their types.
        names: the variable parts of the address.
    """

    dialect: Dialect
    client: Client
    project: str
    values: dict[str, Any]
    names: dict[str, str]

    def __post_init__(self) -> None:
        if not self.client.index.scope.allows(self.project):
            raise NotAllowed(f"The project '{self.project[:80]}' is not open to you. Ask an admin of the server.")

    @property
    def ledger(self) -> Ledger:
        """What the project keeps that belongs to no run."""
        return self.dialect.ledgers.of(self.project)

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter."""
        return self.values.get(name, default)

    @property
    def run_id(self) -> str:
        """The run that is meant, in a form that ids have."""
        return check_run_id(self.values["run_id"])

    def row(self, run_id: str | None = None) -> RunRow:
        """The run that is meant, as it is now.

        Raises:
            MlflowError: there is none of this id in the project.
        """
        wanted = run_id or self.run_id
        self.catch_up(wanted)
        return require(self.client, wanted, self.project)

    def rows(self, *, trashed: bool | None, query: str | None = None) -> list[RunRow]:
        """The runs of the project as they are now; those that only carry files or models are left out."""
        self.catch_up()
        if self.dialect.watcher.is_stale:
            self.dialect.watcher.look()
        found = self.client.index.find(query, project=self.project, trashed=trashed, limit=None)
        return [row for row in found if CARRIER not in row.labels]

    def catch_up(self, run_id: str | None = None) -> None:
        """Bring what clients wrote into the index."""
        self.dialect.pens.catch_up(self.project, run_id)

    def writing(self, run_id: str | None = None) -> AbstractContextManager[Pen]:
        """A pen for the run that is meant.

        Raises:
            MlflowError: there is none, or it cannot be written to.
        """
        wanted = run_id or self.run_id
        if not wanted.isascii() or not wanted.isalnum():
            raise MlflowError(f"Run with id={wanted} not found", MISSING)
        return self.dialect.pens.writing(wanted, self.project)

    def note(self, run_ids: Iterable[str]) -> None:
        """Tell pages that runs changed."""
        self.dialect.watcher.note(run_ids, queue=False)


CARRIER = "runyard.carrier"  # the label of a run that only holds files that belong to no run of a client


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
