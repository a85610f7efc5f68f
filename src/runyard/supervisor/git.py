"""The state of the code as git tells it: commit, branch, and what was changed since.

git is asked without a lock, without prompts and with a time limit; where there is no git, or no
repository, the answer is None.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIT_TIMEOUT_S = 10.0
MAX_DIFF_BYTES = 16 << 20  # beyond that somebody committed data by mistake; the diff is cut


@dataclass(frozen=True, kw_only=True)
class GitState:
    """What git knows of a folder."""

    commit: str
    branch: str | None  # None: a detached head
    is_dirty: bool
    diff: bytes  # of all tracked files against the commit; empty if they are as committed


def git_state(folder: Path) -> GitState | None:
    """Ask git about a folder; None if it cannot tell."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    branch = (_git(folder, "symbolic-ref", "--quiet", "--short", "HEAD") or b"").decode().strip()
    status = _git(folder, "status", "--porcelain", "--untracked-files=normal")
    diff = _git(folder, "diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD") if status else b""
    return GitState(
        commit=commit.decode().strip(),
        branch=branch or None,
        is_dirty=bool(status),
        diff=(diff or b"")[:MAX_DIFF_BYTES],
    )


def _git(folder: Path, *arguments: str) -> bytes | None:
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **quiet},
            timeout=GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
