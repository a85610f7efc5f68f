"""`runyard update`: take over what is new in the template, on a branch of its own."""

from pathlib import Path

from runyard.cli import documents, screen
from runyard.project.project import find_root
from runyard.project.template.updating import NeedsYou, Updated, try_out, update


def update_project(folder: Path | None, *, to: str | None, dry: bool, as_json: bool) -> None:
    """Merge a version of the template into the project, or say what would happen."""
    root = find_root(folder)
    if not as_json:
        screen.remark(f"Merging the template into {screen.plain(root)}; this takes some seconds.")
    try:
        done = try_out(root, to=to) if dry else update(root, to=to)
    except NeedsYou as conflict:
        if as_json:
            documents.write(_document(conflict.updated))
        raise
    if as_json:
        documents.write(_document(done))
    else:
        _say(done, dry=dry)


def _say(done: Updated, *, dry: bool) -> None:
    if done.before == done.version:
        screen.say(f"Nothing to do: the template is {screen.plain(done.version)}, the newest.")
        return
    conflicts = {each.path: each.what for each in done.conflicts}
    for name in done.changed:
        told = f"  both sides changed {conflicts[name]}" if name in conflicts else ""
        screen.say(f"  {screen.plain(name)}{screen.plain(told)}")
    step = f"{screen.plain(done.before)} to {screen.plain(done.version)}"
    if dry:
        need = f", {len(conflicts)} of which would need you" if conflicts else ""
        screen.say(f"From {step}: {len(done.changed)} files would change{need}. Nothing was changed.")
    elif done.is_committed:
        screen.say(
            f"From {step}: {len(done.changed)} files, committed on the branch {done.branch}. Merge it after a look."
        )
    else:
        screen.say(f"From {step}: {len(done.changed)} files, staged on the branch {done.branch}. Now `git commit`.")


def _document(done: Updated) -> dict[str, object]:
    return {
        "before": done.before,
        "version": done.version,
        "branch": done.branch or None,
        "changed": list(done.changed),
        "conflicts": [{"path": each.path, "what": each.what} for each in done.conflicts],
        "is_committed": done.is_committed,
    }
