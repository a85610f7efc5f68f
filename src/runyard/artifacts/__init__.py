"""Files by content: what runs produced, and snapshots of code."""

from runyard.artifacts.store import ArtifactStore

__all__ = ["ArtifactStore"]
