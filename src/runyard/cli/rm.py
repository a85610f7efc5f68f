"""`runyard rm`: runs go to the trash, from where they can come back."""

from collections.abc import Sequence

from runyard.cli import formats, questions, screen, target
from runyard.index import RunRow

_LISTED = 10


def rm(*, runs: list[str] | None, where: str | None, yes: bool) -> None:
    """Move runs to the trash. `runyard trash restore` brings them back, `runyard trash empty` frees the disk."""
    with target.opened() as client:
        rows = target.find_runs(client, runs or [], where=where)
        if not rows:
            screen.remark("No run matches; nothing was moved.")
            return
        if not yes:
            _list(rows)
        questions.confirm(f"Move {formats.plural(len(rows), 'run')} to the trash?", yes=yes)
        client.trash([row.id for row in rows])
    screen.say(f"{formats.plural(len(rows), 'run')} moved to the trash.")


def _list(rows: Sequence[RunRow]) -> None:
    for row in rows[:_LISTED]:
        screen.remark(f"  {row.id}  {screen.plain(row.name)}  {row.state}")
    if len(rows) > _LISTED:
        screen.remark(f"  … and {len(rows) - _LISTED:,} more")
