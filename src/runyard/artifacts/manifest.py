"""Folders by content: a manifest names the files of a folder, each of which lies in the store by itself.

The id of such a folder is the SHA-256 of its manifest, which lies in the store too.
"""

from pathlib import PurePosixPath

import msgspec

from runyard.artifacts.store import ArtifactStore
from runyard.errors import FormatUnknown, ServiceError

MANIFEST_FORMAT = 1


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One path of a snapshot: a file (`sha256`, `size_bytes`) or a symbolic link (`link`)."""

    sha256: str = ""
    size_bytes: int = 0
    is_executable: bool = False
    link: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All paths of a snapshot, relative, with `/`."""

    format: int = MANIFEST_FORMAT
    files: dict[str, Entry]


def read_manifest(snapshot: str, store: ArtifactStore) -> Manifest:
    """The checked manifest of a stored snapshot.

    Raises:
        NotFound: it is not in the store.
        FormatUnknown: another version of Runyard took it.
        ServiceError: it is no manifest, or names paths outside of its folder.
    """
    try:
        manifest = msgspec.json.decode(store.path(snapshot).read_bytes(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise ServiceError(f"The snapshot {snapshot[:12]} is damaged: {error}.") from None
    if manifest.format != MANIFEST_FORMAT:
        raise FormatUnknown(
            f"The snapshot {snapshot[:12]} has format {manifest.format}; this Runyard knows format {MANIFEST_FORMAT}. "
            "Install the version that took it."
        )
    for path in manifest.files:
        _check_path(path, manifest, snapshot)
    return manifest


def _check_path(path: str, manifest: Manifest, snapshot: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or path != "/".join(parts):
        raise ServiceError(f"The snapshot {snapshot[:12]} names the path {path!r}, which may lead out of its folder.")
    above = PurePosixPath(path).parents
    if any(str(parent) in manifest.files for parent in above):
        raise ServiceError(f"The snapshot {snapshot[:12]} names the path {path!r} below a file or a link.")
