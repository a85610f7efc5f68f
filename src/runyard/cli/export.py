"""`runyard export`: a run as one file."""

from pathlib import Path

from runyard.cli import formats, screen, target
from runyard.client import travel


def export(*, run: str, out: Path | None) -> None:
    """Write a run with all that belongs to it into one file: journals, checkpoints, files, code."""
    with target.opened() as client:
        row = target.find_run(client, run)
        path = out or Path(f"{row.id}.runyard.tar.gz")
        done = travel.export_run(client, row.id, path)
    screen.say(
        f"{screen.plain(path)}: {row.id}, {formats.plural(done.members, 'file')}, {formats.size(done.size_bytes)}"
    )
    for name in done.left_out:
        screen.remark(f"Left out, since it is no ordinary file: {screen.plain(name)}")
