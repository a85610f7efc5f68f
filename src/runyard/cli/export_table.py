"""`runyard export csv|json|parquet`: runs and their points as tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from runyard.bridges.tables import exporting
from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import progress_bar
from runyard.client import Client
from runyard.errors import UsageError
from runyard.index import RunRow


def export_table(
    kind: str,
    *,
    runs: Sequence[str],
    where: str | None,
    out: Path | None,
    series: Path | None,
    project: str | None,
    all_projects: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write the named runs and those that match, or all of the project, into files."""
    if out is None and series is None:
        raise UsageError("Say where to: --out FILE for a row a run, --series FILE for a row a point, or both.")
    with target.opened() as client:
        of = target.chosen_project(project, all_projects=all_projects)
        query = target.checked_query(where)
        named = [target.find_run(client, text) for text in runs]
        is_by_query = where is not None or not runs
        total = len(named) + (client.index.count(query, project=of) if is_by_query else 0)
        rows = _rows(client, named, query, of) if is_by_query else iter(named)
        with progress_bar("Exporting runs") as progress:
            done = exporting.export(
                client,
                rows,
                kind=kind,
                out=out,
                series=series,
                force=force,
                progress=lambda number: progress(number, max(total, number)),
            )
    if as_json:
        documents.write({"runs": done.runs, "points": done.points if series else None})
        return
    if out is not None:
        screen.say(f"{screen.plain(out)}: {formats.plural(done.runs, 'run')}")
    if series is not None:
        screen.say(
            f"{screen.plain(series)}: {formats.plural(done.points, 'point')} of {formats.plural(done.runs, 'run')}"
        )
    if not done.runs:
        screen.remark(f"No run matches{f' in project {screen.plain(of)}' if of else ''}; --all looks in all projects.")


def _rows(client: Client, named: Sequence[RunRow], query: str | None, project: str | None) -> Iterator[RunRow]:
    """The named runs, then those that match, each once."""
    seen = {row.id for row in named}
    yield from named
    yield from (row for row in exporting.pages(client, query, project=project) if row.id not in seen)
