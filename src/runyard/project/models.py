"""Models of a project's runs: which run is the best one, and its model laid out as a folder."""

from pathlib import Path

from runyard.client import Client
from runyard.errors import NotFound, UsageError
from runyard.project.project import Project


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


def fetch_model(client: Client, run_id: str, target: Path) -> None:
    """Lay the files of a run's model into a folder, from the artifact store.

    Raises:
        NotFound: the run has saved no model.
    """
    items = [item for item in client.index.artifacts(run_id) if item.kind == "model"]
    if not items:
        raise NotFound(f"Run {run_id} has saved no model: its train() did not call run.save_model.")
    root = Path(items[-1].name).parts[0]  # the model that was saved last, if there are several
    for item in items:
        parts = Path(item.name).parts
        if parts[0] == root:
            file = target.joinpath(*parts[1:])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(client.artifacts.path(item.sha256).read_bytes())
