"""`runyard import sacred`: runs of Sacred become runs here."""

from contextlib import closing

from runyard.bridges.sacred.importing import DEFAULT_PROJECT, reader_of, take_in
from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import progress_bar
from runyard.cli.skipped import tell_skipped


def import_sacred(source: str, *, project: str | None, prefix: str | None, as_json: bool) -> None:
    """Take Sacred's runs in; exit code 1 if anything was skipped."""
    here = target.project_here()
    into = project or (here.name if here else DEFAULT_PROJECT)
    with (
        target.opened() as client,
        progress_bar("Importing runs") as progress,
        closing(reader_of(source, prefix=prefix)) as reader,
    ):
        done = take_in(client, reader, project=into, progress=progress)
    if as_json:
        documents.write(
            {"project": into, "new": done.new, "continued": done.continued, "known": done.known}
            | {"points": done.points, "problems": done.problems}
        )
    else:
        screen.say(
            f"{formats.plural(done.new, 'run')} with {done.points:,} points imported into {screen.plain(into)}; "
            f"{done.continued} gone on with, {done.known} were here already."
        )
    tell_skipped(done.problems)
