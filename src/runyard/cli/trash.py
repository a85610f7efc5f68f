"""`runyard trash`: what was removed, the way back, and the end."""

from datetime import UTC, datetime

from runyard.cli import columns, documents, formats, questions, screen, tables, target
from runyard.cli.progress import progress_bar
from runyard.client import checkpoints, trash


def list_(*, as_json: bool) -> None:
    """What is in the trash."""
    with target.opened() as client:
        rows = client.index.find(None, trashed=True, limit=None)
        sizes = {row.id: trash.folder_size(client.folder(row.id).path) for row in rows}
        kept = {run_id: trash.folder_size(folder) for run_id, folder in checkpoints.in_trash(client).items()}
    if as_json:
        documents.write(
            {"runs": [documents.run(row) | {"size_bytes": sizes[row.id]} for row in rows], "checkpoints": kept}
        )
        return
    if kept:
        count, size = formats.plural(len(kept), "run"), formats.size(sum(kept.values()))
        screen.remark(f"Checkpoints of {count}, {size}: {', '.join(list(kept)[:8])}{' …' if len(kept) > 8 else ''}")
    if not rows and kept:
        return
    if not rows:
        screen.remark("The trash is empty.")
        return
    now = datetime.now(UTC)
    shown = [columns.FIELDS[name] for name in ("id", "project", "name", "state", "age")]
    tables.show(
        [
            *(tables.Column(c.title, is_right=c.is_right, is_vital=c.is_vital) for c in shown),
            tables.Column("size", True),
        ],
        [[*(c.cell(row, now) for c in shown), tables.Cell(formats.size(sizes[row.id]))] for row in rows],
    )


def restore(*, runs: list[str], only_checkpoints: bool) -> None:
    """Bring runs back, or the checkpoints of runs."""
    with target.opened() as client:
        if only_checkpoints:
            found = target.find_runs(client, runs)
            checkpoints.restore(client, [row.id for row in found])
            screen.say(f"Checkpoints of {formats.plural(len(found), 'run')} restored.")
            return
        rows = list({row.id: row for row in (target.find_trashed(client, text) for text in runs)}.values())
        client.restore([row.id for row in rows])
    screen.say(f"{formats.plural(len(rows), 'run')} restored: {', '.join(row.id for row in rows)}")


def empty(*, yes: bool) -> None:
    """Delete for good what is in the trash, and say how much room that made."""
    with target.opened() as client:
        count, kept = client.index.count(None, trashed=True), len(checkpoints.in_trash(client))
        if not count and not kept:
            screen.remark("The trash is empty.")
            return
        also = f" and checkpoints of {formats.plural(kept, 'run')}" if kept else ""
        questions.confirm(f"Delete {formats.plural(count, 'run')}{also} for good?", yes=yes)
        with progress_bar("Deleting") as progress:
            freed = trash.empty(client, progress)
    screen.say(f"{formats.plural(freed.runs, 'run')} deleted, {formats.size(freed.size_bytes)} freed.")
