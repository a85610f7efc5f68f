"""`runyard export mlflow`: runs for an MLflow server, or for GitLab's experiments."""

from collections.abc import Sequence

from runyard.bridges.mlflow import exporting
from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import progress_bar
from runyard.cli.skipped import tell_skipped


def export_mlflow(uri: str, *, runs: Sequence[str], where: str | None, experiment: str | None, as_json: bool) -> None:
    """Bring runs to an MLflow server; exit code 1 if anything was skipped."""
    with target.opened() as client:
        rows = target.find_runs(client, runs, where=where)
        with progress_bar("Exporting runs") as progress:
            done = exporting.bring(client, uri, rows, experiment=experiment, progress=progress)
    if as_json:
        documents.write({"new": done.new, "known": done.known, "problems": done.problems})
    else:
        screen.say(f"{formats.plural(done.new, 'run')} exported; {done.known} were there already.")
    tell_skipped(done.problems)
