"""Models of a project's runs: which run is the best one, and its model laid out as a folder."""

from collections.abc import Sequence
from pathlib import Path

from runyard.client import Client
from runyard.errors import NotFound, UsageError
from runyard.project.project import Project
from runyard.tracking.files import check_file_name
from runyard.tracking.models import MANIFEST, read_manifest


def best_run(client: Client, project: Project, metric: str | None) -> str:
    """The completed run with a model that has the best value of the headline metric.

    Raises:
        NotFound: no run qualifies.
        UsageError: no metric is known to judge by.
    """
    key = metric or next(iter(project.metrics), None)
    if key is None:
        raise UsageError("Which metric decides? Name it with --metric, or under [metrics] in runyard.toml.")
    goal = project.metrics.get(key, "max")
    sort = f"-metric:{key}.max" if goal == "max" else f"metric:{key}.min"
    rows = client.index.find('state == "COMPLETED"', project=project.name, sort=sort, limit=None)
    for row in rows:
        if key in row.summary and any(item.kind == "model" for item in client.index.artifacts(row.id)):
            return row.id
    raise NotFound(f"No completed run of {project.name} has both '{key}' and a model. `runyard runs` lists the runs.")


def fetch_model(client: Client, run_id: str, place: Path, *, kinds: Sequence[str] = ("package", "model")) -> None:
    """Lay the files of a run's model into a folder, from the artifact store: its package, if it has one.

    Raises:
        NotFound: the run has saved no model.
    """
    known = client.index.artifacts(run_id)
    found = next((items for kind in kinds if (items := [item for item in known if item.kind == kind])), None)
    if not found:
        raise NotFound(f"Run {run_id} has saved no model: its train() did not call run.save_model.")
    last = next(item for item in reversed(found) if Path(item.name).name == MANIFEST)  # if there are several
    place.mkdir(parents=True)
    (place / MANIFEST).write_bytes(client.artifacts.path(last.sha256).read_bytes())
    for name, entry in read_manifest(place).files.items():
        file = place / check_file_name(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(client.artifacts.path(entry.sha256).read_bytes())
