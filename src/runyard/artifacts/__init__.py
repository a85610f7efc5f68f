"""Content-addressed files, and folders made of them, in a local folder."""

from runyard.artifacts.manifest import Entry, Manifest, read_manifest
from runyard.artifacts.store import ArtifactStore

__all__ = ["ArtifactStore", "Entry", "Manifest", "read_manifest"]
