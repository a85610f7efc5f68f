"""What Git knows of a project's folder; nothing at all where there is no Git or no repository.

A run records its commit, its branch and what had changed since. Git is asked through its command
line, without hooks' environment variables and without taking the index lock from the user.
"""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ServiceError

MAX_DIFF_BYTES = 16 << 20  # beyond that somebody has committed data by mistake; the diff is cut
_TIMEOUT_S = 60.0  # a folder on a network drive is slow, but it must not hang a submit for good
_OF_ANOTHER_REPOSITORY = frozenset(  # set while a hook runs; they would lead away from the folder in question
    f"GIT_{name}"
    for name in ("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "NAMESPACE", "PREFIX")
)
_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")


@dataclass(frozen=True, kw_only=True)
class GitState:
    """The state of the repository that a folder lies in.

    `commit` is None before the first commit, `branch` is None when no branch is checked out.
    """

    commit: str | None
    branch: str | None
    is_dirty: bool
    diff: bytes  # `git diff HEAD` of this folder; empty if it is clean


def read_state(folder: Path) -> GitState | None:
    """The commit, branch and uncommitted changes of `folder`; None if no repository is there, or it ignores it."""
    if is_ignored(folder):
        return None
    status = run_git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".")
    if status is None:
        return None
    lines = status.decode(errors="replace").splitlines()
    header = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# ") and line.count(" ") > 1)
    commit = header.get("branch.oid", "(initial)")
    branch = header.get("branch.head", "(detached)")
    has_commit = commit != "(initial)"
    is_dirty = any(not line.startswith("#") for line in lines)
    return GitState(
        commit=commit if has_commit else None,
        branch=None if branch == "(detached)" else branch,
        is_dirty=is_dirty,
        diff=_diff(folder) if is_dirty and has_commit else b"",
    )


def list_files(folder: Path) -> list[str] | None:
    """All files below `folder` that Git keeps or would keep, relative to it, sorted.

    A folder outside of a repository is listed by the rules of its .gitignore files all the same.
    Submodules and nested repositories appear as one path each.

    Returns:
        None if Git cannot be asked.
    """
    listed = None if is_ignored(folder) else run_git(folder, "ls-files", "-z", "-co", "--exclude-standard")
    if listed is None:
        listed = _list_without_repository(folder)
    if listed is None:
        return None
    return sorted({os.fsdecode(name).rstrip("/") for name in listed.split(b"\0") if name})


def is_ignored(folder: Path) -> bool:
    """Whether `folder` lies in a repository whose .gitignore names it, so that it is none of its business."""
    return run_git(folder, "check-ignore", "--quiet", str(folder)) is not None


def call_git(folder: Path, *arguments: str) -> str:
    """Run Git in `folder`, where it must succeed; return what it printed.

    Raises:
        ServiceError: there is no Git, or it failed; the message is its own.
    """
    environment = {**_environment(), "GIT_TERMINAL_PROMPT": "0"}  # a password that is missing is told, not asked for
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, "-C", str(folder), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise ServiceError(f"Git could not be started: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"`git {arguments[0]}` did not end within {_TIMEOUT_S:g} s.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        fatal = [line for line in said if line.startswith(("fatal:", "error:"))]  # advice may follow it
        why = fatal[0] if fatal else (said or ["it did not say why"])[-1]
        raise ServiceError(f"`git {arguments[0]}` failed in {folder}: {why}")
    return done.stdout.decode(errors="replace")


def run_git(folder: Path, *arguments: str) -> bytes | None:
    """Run Git in `folder`; return what it printed, or None if there is no Git or it failed."""
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, "-C", str(folder), *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    environment["GIT_OPTIONAL_LOCKS"] = "0"  # else a `git commit` of the user could fail because of us
    return environment


def _diff(folder: Path) -> bytes:
    diff = run_git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--relative", "--", ".")
    return (diff or b"")[:MAX_DIFF_BYTES]


def _list_without_repository(folder: Path) -> bytes | None:
    """Let an empty repository somewhere else look at the folder, so that Git itself reads its .gitignore files."""
    with tempfile.TemporaryDirectory(prefix="runyard-") as empty:
        if run_git(folder, "init", "--quiet", "--bare", empty) is None:
            return None
        options = (f"--git-dir={empty}", f"--work-tree={folder}")
        return run_git(folder, *options, "ls-files", "-z", "-o", "--exclude-standard")
