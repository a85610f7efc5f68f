"""Whose a file of a project is: the template's alone, both sides', or the project's alone."""

from enum import StrEnum


class FileClass(StrEnum):
    """What an update does to a file."""

    MANAGED = "managed"  # overwritten; nobody edits it
    MERGED = "merged"  # both sides write it; their changes are merged
    OWNED = "owned"  # written once and never touched again


MANAGED = ("run.py", "docker/.dockerignore")  # the same bytes in every project of a version

_OWNED_FOLDERS = ("src/", "tests/")
_OWNED_FILES = ("README.md", "runyard.toml")


def class_of(name: str) -> FileClass:
    """The class of a file by its path within the project, with slashes."""
    if name in MANAGED:
        return FileClass.MANAGED
    if name.startswith(_OWNED_FOLDERS) or name in _OWNED_FILES:
        return FileClass.OWNED
    return FileClass.MERGED
