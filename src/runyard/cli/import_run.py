"""`runyard import`: a run out of a file that `runyard export` wrote."""

from pathlib import Path

from runyard.cli import screen, target
from runyard.client import travel


def import_(file: Path) -> None:
    """Take a run out of a file that `runyard export` wrote."""
    with target.opened() as client:
        done = travel.import_run(client, file)
        row = client.index.get(done.run_id)
    what = "imported" if done.is_new else "is here already, and is the same; nothing was changed"
    screen.say(f"{row.id} ({screen.plain(row.name)}, {screen.plain(row.project)}) {what}.")
