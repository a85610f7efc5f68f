"""`runyard update`: what is new in a template reaches a project, on a branch of its own.

Managed files are replaced, merged ones are merged three ways by Copier, owned ones stay as they are. Where both sides
changed the same lines, the files wait on the branch with conflict markers, and nothing is committed.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ConflictError, RunyardError, UsageError
from runyard.git import call_git, run_git
from runyard.project.template import rendering
from runyard.project.template.answers import read_answers
from runyard.project.template.classes import MANAGED, FileClass, class_of
from runyard.project.template.sources import Template, choose, sort_versions, template_at

_MARKER = "<<<<<<< "
_KEY = re.compile(r"\s*(?:- )?[\"']?([A-Za-z_][\w.-]*)")


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A file that a person must look at, and what both sides changed in it."""

    path: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Updated:
    """What an update did, or would do.

    Attributes:
        before, version: of the template; equal if there was nothing to do.
        branch: where it was done.
        changed: the files that differ from before, conflicts included.
        conflicts: those of them that need a person.
        is_committed: everything is in a commit on the branch.
    """

    before: str
    version: str
    branch: str
    changed: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    is_committed: bool = False


class NeedsYou(ConflictError):
    """Both sides changed the same lines."""

    def __init__(self, updated: Updated) -> None:
        self.updated = updated
        width = max(len(each.path) for each in updated.conflicts) + 1
        number = len(updated.conflicts)
        lines = [f"  {each.path:{width}} both sides changed {each.what}" for each in updated.conflicts]
        super().__init__(
            "\n".join(
                [
                    f"runyard update: {number} file{'s need' if number != 1 else ' needs'} you (branch {updated.branch}):",
                    *lines,
                    "Resolve them, then `git add` and `git commit`. To go back: "
                    f"`git switch --discard-changes - && git branch -D {updated.branch}`.",
                ]
            )
        )


def update(root: Path, *, to: str | None = None) -> Updated:
    """Take over a version of the template (the newest) on a new branch, and stay there.

    Raises:
        UsageError: the project has no template, is no clean repository, or the version is none or an older one.
        NeedsYou: both sides changed the same lines; the branch waits with them.
    """
    template, before, version = _plan(root, to)
    if before == version:
        return Updated(before=before, version=version, branch="")
    branch = _branch(version)
    _check_repository(root, branch)
    came_from = call_git(root, "rev-parse", "--abbrev-ref", "HEAD").strip()
    call_git(root, "switch", "--quiet", "--create", branch)
    try:
        changed, conflicts = _merge(root, template, before, version)
    except RunyardError:
        _go_back(root, came_from, branch)
        raise
    updated = Updated(before=before, version=version, branch=branch, changed=changed, conflicts=conflicts)
    if conflicts:
        _stage(root, [name for name in changed if name not in {each.path for each in conflicts}])
        raise NeedsYou(updated)
    _stage(root, changed)
    is_committed = run_git(root, "commit", "--quiet", "--message", f"Update the template to {version}") is not None
    return Updated(before=before, version=version, branch=branch, changed=changed, is_committed=is_committed)


def try_out(root: Path, *, to: str | None = None) -> Updated:
    """Say what `update` would do, by doing it in a copy.

    Raises:
        UsageError: as `update`.
    """
    template, before, version = _plan(root, to)
    branch = _branch(version)
    if before == version:
        return Updated(before=before, version=version, branch="")
    _check_repository(root, branch)
    with tempfile.TemporaryDirectory(prefix="runyard-") as scratch:
        copy = Path(scratch, "project")
        call_git(root, "clone", "--quiet", "--", str(root), str(copy))
        changed, conflicts = _merge(copy, template, before, version)
    return Updated(before=before, version=version, branch=branch, changed=changed, conflicts=conflicts)


def _plan(root: Path, to: str | None) -> tuple[Template, str, str]:
    answers = read_answers(root)
    if answers is None or not answers.version:
        raise UsageError(f"{root} does not remember a template. `runyard adopt` gives it one.")
    template = template_at(answers.address)
    version = choose(template.versions(), to)
    order = sort_versions([answers.version, version])
    if len(order) == 2 and order[0] == version != answers.version:
        raise UsageError(f"{root} has template {answers.version}, which is newer than {version}. To go back, revert its commit.")
    return template, answers.version, version


def _branch(version: str) -> str:
    return f"runyard/template-{version.removeprefix('v')}"


def _check_repository(root: Path, branch: str) -> None:
    top = run_git(root, "rev-parse", "--show-toplevel")
    if top is None:
        raise UsageError(f"{root} is no Git repository, so changes could not be merged. Start one: git init.")
    if Path(top.decode().strip()).resolve() != root.resolve():
        raise UsageError(f"{root} is a folder of the repository {top.decode().strip()}; only a whole repository can be updated.")
    dirty = call_git(root, "status", "--porcelain").splitlines()
    if dirty:
        more = f" and {len(dirty) - 1} more" if len(dirty) > 1 else ""
        raise UsageError(f"{dirty[0][3:]}{more} in {root} is not committed. Commit or stash it first.")
    if run_git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}") is not None:
        raise UsageError(f"The branch {branch} is there from an earlier update. Merge it, or `git branch -D {branch}`.")


def _merge(root: Path, template: Template, before: str, version: str) -> tuple[tuple[str, ...], tuple[Conflict, ...]]:
    """Merge in the working tree; return the files that changed, and those that need a person."""
    template.provide()
    rendering.update(root, version)
    _restore_owned(root)
    for name in MANAGED:
        wanted = template.read(version, name)
        if wanted is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(wanted)
            call_git(root, "add", "--", name)  # ends a conflict there, which nobody needs to look at
    changed = _changed(root)
    unmerged = set(_names(call_git(root, "diff", "--name-only", "-z", "--diff-filter=U")))
    wrong = [name for name in changed if name in unmerged or _has_marker(root / name)]
    return changed, tuple(Conflict(path=name, what=_what(root / name)) for name in wrong)


def _restore_owned(root: Path) -> None:
    """Owned files are as they were; those that the owner has deleted stay so."""
    names = _names(call_git(root, "diff", "--name-only", "-z", "HEAD"))
    new = _names(call_git(root, "ls-files", "-z", "--others", "--exclude-standard"))
    owned = [name for name in (*names, *new) if class_of(name) is FileClass.OWNED]
    if not owned:
        return
    there = set(_names(call_git(root, "ls-tree", "-r", "-z", "--name-only", "HEAD")))
    touched = [name for name in owned if name in there]
    if touched:
        call_git(root, "restore", "--source=HEAD", "--staged", "--worktree", "--", *touched)
    log = ("log", "-z", "--format=", "--name-only", "--no-renames", "--diff-filter=D", "HEAD", "--")
    deleted = set(_names(call_git(root, *log, *owned))) - there
    for name in deleted:
        (root / name).unlink(missing_ok=True)
        run_git(root, "rm", "--quiet", "--cached", "--ignore-unmatch", "--", name)


def _changed(root: Path) -> tuple[str, ...]:
    tracked = _names(call_git(root, "diff", "--name-only", "-z", "HEAD"))
    new = _names(call_git(root, "ls-files", "-z", "--others", "--exclude-standard"))
    return tuple(sorted({*tracked, *new}))


def _names(listed: str) -> list[str]:
    return [name for name in listed.split("\0") if name]


def _stage(root: Path, names: Sequence[str]) -> None:
    if names:
        call_git(root, "add", "--all", "--", *names)


def _go_back(root: Path, came_from: str, branch: str) -> None:
    """The tree was clean before, so all that is new in it came with the update."""
    new = _names(call_git(root, "ls-files", "-z", "--others", "--exclude-standard"))
    call_git(root, "switch", "--quiet", "--discard-changes", came_from if came_from != "HEAD" else "-")
    for name in new:
        (root / name).unlink(missing_ok=True)
    call_git(root, "branch", "--quiet", "-D", branch)


def _has_marker(path: Path) -> bool:
    return path.is_file() and any(line.startswith(_MARKER) for line in _lines(path))


def _what(path: Path) -> str:
    """What both sides changed, by the names at the beginning of the lines in conflict."""
    above = ""
    found: list[str] = []
    side = 0  # 1: ours, 2: theirs
    for line in _lines(path):
        if line.startswith(_MARKER):
            side = 1
        elif side and line.startswith("======="):
            side = 2
        elif side and line.startswith(">>>>>>> "):
            side = 0
        elif side:
            key = _KEY.match(line)
            name = key[1] if key and not line[:1].isspace() else above
            if name and name not in found:
                found.append(name)
        elif path.suffix in (".yml", ".yaml") and line[:1].isalpha():
            above = line.partition(":")[0]
    return ", ".join(f"'{name}'" for name in found[:3]) if found else "the same lines"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
