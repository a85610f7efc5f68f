"""Which experiments a project has, and which runs belong to each.

An experiment of a client is a name that runs carry, like any of Runyard's, and an entry of the ledger for what else
MLflow keeps of it. A run that a client made notes the number of its experiment, so that a new name loses no run.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

from runyard.index import RunRow
from runyard.index.rows import to_ns
from runyard.server.mlflow import ids
from runyard.server.mlflow.asked import Asked
from runyard.server.mlflow.errors import MISSING, MlflowError

NOTED = "runyard.mlflow"  # the label with what a client said of a run and Runyard has no other place for
_KIND = "experiment"
_LONGEST_ID = 64
_MOST_NAMES = 20  # in one query


class Noted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What MLflow's client said of its run; times in milliseconds since 1970."""

    experiment: str
    user: str = ""
    status: str = "RUNNING"
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment; times are milliseconds since 1970. `name` of the default one may be that of none of our runs."""

    id: str
    name: str
    location: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    created_ms: int = 0
    updated_ms: int = 0
    is_deleted: bool = False

    @property
    def ours(self) -> str | None:
        """The name that runs carry."""
        return None if self.id == ids.DEFAULT and self.name == ids.DEFAULT_NAME else self.name

    def require_active(self) -> "Experiment":
        """Refuse what is deleted.

        Raises:
            MlflowError: it is.
        """
        if self.is_deleted:
            raise MlflowError(f"The experiment {self.id} is deleted. The experiment ID must be in the 'active' state.")
        return self


def every(asked: Asked) -> dict[str, Experiment]:
    """All experiments of the project by id, deleted ones too: first those that clients know, then those of our runs."""
    home_ms = int(asked.client.home.marker.stat().st_mtime * 1000)
    found = {ids.DEFAULT: Experiment(id=ids.DEFAULT, name=ids.DEFAULT_NAME, created_ms=home_ms, updated_ms=home_ms)}
    for known in asked.ledger.of_kind(_KIND).values():
        found[known["id"]] = Experiment(**known)
    named = {each.ours for each in found.values()}
    for name, first_at in asked.client.index.experiments(asked.project).items():
        if name not in named:
            number, first_ms = ids.of_experiment(asked.project, name), to_ns(first_at) // 1_000_000
            found.setdefault(number, Experiment(id=number, name=name, created_ms=first_ms, updated_ms=first_ms))
    return found


def of_id(asked: Asked, experiment_id: str) -> Experiment:
    """One by its id.

    Raises:
        MlflowError: there is none.
    """
    if not (experiment_id.isascii() and experiment_id.isdigit() and len(experiment_id) <= _LONGEST_ID):
        raise MlflowError(f"Invalid experiment ID: '{experiment_id[:_LONGEST_ID]}'. It must be a whole number.")
    found = every(asked).get(experiment_id)
    if found is None:
        raise MlflowError(f"No Experiment with id={experiment_id} exists", MISSING)
    return found


def keep(asked: Asked, found: Experiment) -> None:
    """Write an experiment into the ledger."""
    asked.ledger.put(_KIND, found.id, {name: getattr(found, name) for name in found.__dataclass_fields__})


def noted(row: RunRow) -> Noted | None:
    """What its client said; None for runs that none made."""
    text = row.labels.get(NOTED)
    try:
        return msgspec.json.decode(text, type=Noted) if text else None
    except msgspec.MsgspecError:  # somebody else's label
        return None


def experiment_of(row: RunRow, known: Mapping[str, Experiment]) -> str:
    """The id of the experiment of a run."""
    found = noted(row)
    if found is not None and found.experiment in known:
        return found.experiment
    number = next((each.id for each in known.values() if each.ours == row.experiment), None)
    return number or ids.of_experiment(row.project, row.experiment)


def rows_of(
    asked: Asked, wanted: Collection[str], known: Mapping[str, Experiment], *, trashed: bool | None
) -> list[tuple[RunRow, str]]:
    """The runs of some experiments, each with the id of its own."""
    named = [known[each].ours for each in wanted if each in known]
    query = None
    if len(named) <= _MOST_NAMES and None not in named:
        query = " or ".join(f"experiment == {name!r}" for name in named)
    by_name = {each.ours: each.id for each in reversed(list(known.values()))}
    found: list[tuple[RunRow, str]] = []
    for row in asked.rows(trashed=trashed, query=query):
        said = noted(row)
        number = said.experiment if said is not None and said.experiment in known else by_name.get(row.experiment)
        if number is not None and number in wanted:
            found.append((row, number))
    return found


def runs_of(asked: Asked, experiment: Experiment, *, trashed: bool | None) -> list[str]:
    """The ids of the runs of an experiment."""
    return [row.id for row, _ in rows_of(asked, {experiment.id}, every(asked), trashed=trashed)]
