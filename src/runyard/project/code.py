"""The code a run is asked for with: a snapshot of it, and what Git knows of it."""

from runyard.artifacts import ArtifactStore
from runyard.git import read_state
from runyard.project.project import Project
from runyard.project.snapshot import take
from runyard.records import CodeState


def read_code(project: Project, store: ArtifactStore) -> tuple[CodeState, tuple[str, ...]]:
    """Freeze the code of a project as it is now; also return one sentence for each path that was left out.

    Raises:
        UsageError: a file cannot be read.
    """
    snapshot = take(project.root, store)
    git = read_state(project.root)
    if git is None:
        return CodeState(snapshot=snapshot.id, code_id=snapshot.code_id), snapshot.warnings
    state = CodeState(
        snapshot=snapshot.id,
        code_id=snapshot.code_id,
        commit=git.commit,
        branch=git.branch,
        is_dirty=git.is_dirty,
        diff=store.put_bytes(git.diff) if git.diff else None,
    )
    return state, snapshot.warnings
