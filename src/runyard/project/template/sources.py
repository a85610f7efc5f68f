"""Where a template comes from: Runyard's own, which lies in the package as a Git bundle, or a team's own repository."""

import functools
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import runyard
from runyard.errors import ServiceError, UsageError
from runyard.git import call_git
from runyard.project.template.bundle import Bundle, bundle_folder, decode

OWN_ADDRESS = "~/.local/share/runyard/template.bundle"  # one spelling for all machines: it stands in every project
_SUBFOLDER = "project"


class Template(Protocol):
    """A template with versions."""

    @property
    def address(self) -> str:
        """What a project's answers remember it by."""

    def versions(self) -> Sequence[str]:
        """Its tags, the oldest version first; asks whoever keeps them."""

    def read(self, version: str, name: str) -> bytes | None:
        """A file as every project of that version has it, or None if it is rendered from answers, or is not there."""

    def provide(self) -> None:
        """See to it that Copier finds it."""


class OwnTemplate:
    """The one that came with this Runyard."""

    address = OWN_ADDRESS

    def versions(self) -> Sequence[str]:
        return sort_versions(_own_bundle().tags)

    def read(self, version: str, name: str) -> bytes | None:
        bundle = _own_bundle()
        return bundle.read(version, f"{_SUBFOLDER}/{name}") if version in bundle.tags else None

    def provide(self) -> None:
        """Lay it where projects look for it, unless a newer Runyard has laid one there that knows all of it, too.

        Raises:
            ServiceError: the folder cannot be written.
        """
        path = Path(OWN_ADDRESS).expanduser()
        if path.is_file() and _knows(path, _own_bundle()):
            return
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(_own_bytes())
            draft.replace(path)
        except OSError as error:
            raise ServiceError(f"{path} could not be written: {error.strerror}. Projects find their template there.") from error


class GitTemplate:
    """A repository by its address or folder; its versions are tags such as 1.2.0 or v1.2.0."""

    def __init__(self, address: str) -> None:
        if address.startswith("-"):
            raise UsageError(f"'{address}' is no address of a template. Write a folder, or a URL that Git can clone.")
        path = Path(address).expanduser()
        self.address = str(path.absolute()) if path.exists() and not address.startswith("~") else address
        self._where = str(path.absolute()) if path.exists() else address

    def versions(self) -> Sequence[str]:
        try:
            listed = call_git(Path.cwd(), "ls-remote", "--tags", "--refs", "--", self._where)
        except ServiceError as problem:
            raise ServiceError(
                f"The template at {self.address} cannot be read. {problem} Look at its address and at your access to it."
            ) from None
        return sort_versions(line.rpartition("refs/tags/")[2] for line in listed.splitlines())

    def read(self, version: str, name: str) -> bytes | None:
        with tempfile.TemporaryDirectory(prefix="runyard-") as scratch:
            options = ("--quiet", "--depth=1", f"--branch={version}", "-c", "advice.detachedHead=false")
            call_git(Path.cwd(), "clone", *options, "--", _as_url(self._where), scratch)
            folder = Path(scratch, _subfolder(Path(scratch)))
            return (folder / name).read_bytes() if (folder / name).is_file() else None

    def provide(self) -> None:
        """Copier clones it."""


def template_at(address: str | None) -> Template:
    """The template that an address means; none: Runyard's own.

    Raises:
        UsageError: this can be no address.
    """
    return OwnTemplate() if address in (None, "", OWN_ADDRESS) else GitTemplate(str(address))


def sort_versions(tags: Iterable[str]) -> list[str]:
    """Tags that are versions, the oldest first; others are left out."""
    from packaging.version import InvalidVersion, Version  # late: it comes with Copier

    found = []
    for tag in tags:
        try:
            found.append((Version(tag), tag))
        except InvalidVersion:
            continue
    return [tag for _, tag in sorted(found)]


def choose(versions: Sequence[str], wanted: str | None) -> str:
    """The tag of a version, written with or without a v; None: the newest that is no pre-release.

    Raises:
        UsageError: there is none.
    """
    if not versions:
        raise UsageError("This template has no versions: tag it, e.g. with `git tag 1.0.0`.")
    if wanted is None:
        from packaging.version import Version

        return next((tag for tag in reversed(versions) if not Version(tag).is_prerelease), versions[-1])
    found = [tag for tag in versions if tag.removeprefix("v") == wanted.removeprefix("v")]
    if not found:
        raise UsageError(f"This template has no version {wanted}. It has: {', '.join(versions[-8:])}.")
    return found[0]


def template_folder() -> Path:
    """Where the template lies in a checkout, beside `src/`.

    Raises:
        ServiceError: this is an installed package without its template.
    """
    package = Path(runyard.__file__).parent
    folder = package.parents[1] / "template"
    if (folder / "copier.yml").is_file():
        return folder
    raise ServiceError(f"The template is missing from {package}. Install Runyard again.")


@functools.cache
def _own_bytes() -> bytes:
    packaged = Path(runyard.__file__).parent / "_template.bundle"
    return packaged.read_bytes() if packaged.is_file() else bundle_folder(template_folder())


@functools.cache
def _own_bundle() -> Bundle:
    return decode(_own_bytes())


def _knows(path: Path, bundle: Bundle) -> bool:
    try:
        there = decode(path.read_bytes())
    except (ValueError, IndexError, OSError):
        return False
    return bundle.tags.items() <= there.tags.items()


def _as_url(where: str) -> str:
    """A folder by its URL: Git ignores --depth for a plain path, and says so."""
    return Path(where).as_uri() if Path(where).is_dir() else where


def _subfolder(folder: Path) -> str:
    """The folder of a template that is rendered, as its copier.yml says."""
    from ruamel.yaml import YAML

    for name in ("copier.yml", "copier.yaml"):
        if (folder / name).is_file():
            settings = YAML(typ="safe").load(folder / name)
            return str(settings.get("_subdirectory", "")) if isinstance(settings, dict) else ""
    return ""
