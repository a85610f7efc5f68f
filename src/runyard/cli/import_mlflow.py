"""`runyard import mlflow`: the runs of a server, of a folder, of an SQLite file."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from runyard.bridges.mlflow.importing import reader_of, take_in
from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import progress_bar
from runyard.cli.skipped import tell_skipped

DEFAULT_PROJECT = "mlflow"


def import_mlflow(
    source: str, *, project: str | None, experiments: Sequence[str], artifacts: Path | None, as_json: bool
) -> None:
    """Take MLflow's runs in; exit code 1 if anything was skipped."""
    here = target.project_here()
    into = project or (here.name if here else DEFAULT_PROJECT)
    with (
        target.opened() as client,
        progress_bar("Importing runs") as progress,  # from here on: a server lists its runs by pages
        closing(reader_of(source, artifacts=artifacts, experiments=experiments)) as reader,
    ):
        done = take_in(client, reader, project=into, progress=progress)
    if as_json:
        documents.write(
            {"project": into, "new": done.new, "continued": done.continued, "known": done.known}
            | {"problems": done.problems}
        )
    else:
        screen.say(
            f"{formats.plural(done.new, 'run')} imported into {screen.plain(into)}; {done.continued} gone on with, "
            f"{done.known} were here already."
        )
    tell_skipped(done.problems)
