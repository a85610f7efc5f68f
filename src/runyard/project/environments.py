"""The packages that a run had, laid out again: a virtual environment in the home.

Packages that this environment has in the same version are linked, so that this takes a second and no room, and works
without a network; the others are installed by uv or pip. Runyard itself is always the one that runs now.
"""

import csv
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import msgspec

import runyard
from runyard.errors import ServiceError

OURS = "runyard"
_TIMEOUT_S = 3600
_NOT_LINKED = frozenset({"__pycache__", "..", ""})

Packages = Mapping[str, str]  # distribution -> version
Say = Callable[[str], None]


@dataclass(frozen=True)
class _Installed:
    """A distribution of this environment: where it lies, and the paths that belong to it, relative to that."""

    name: str
    folder: Path
    paths: tuple[str, ...]


def differing(wanted: Packages, present: Packages) -> dict[str, tuple[str, str]]:
    """The packages whose versions differ: name -> (wanted, present), "" for none. Runyard does not count."""
    before = {_normal(name): version for name, version in wanted.items()}
    after = {_normal(name): version for name, version in present.items()}
    names = sorted((before.keys() | after.keys()) - {OURS})
    return {n: (before.get(n, ""), after.get(n, "")) for n in names if before.get(n) != after.get(n)}


def build(wanted: Packages, present: Packages, *, python: str, folder: Path, say: Say) -> Path:
    """Lay out an environment with these packages; return its interpreter. One that is there already is used again.

    Args:
        wanted: what the run had.
        present: what this process has.
        python: the version of Python that the run had, as 3.11.7; the last number may be another one.
        folder: where environments lie.
        say: is told what takes a while.

    Raises:
        ServiceError: that Python is not on this machine, or a package cannot be installed.
    """
    interpreter, minor = _find_python(python)
    exact = {_normal(name): version for name, version in wanted.items() if _normal(name) != OURS}
    key = msgspec.json.encode([minor, platform.machine(), sys.platform, sorted(exact.items())])
    place = folder / hashlib.sha256(key).hexdigest()[:16]
    if _is_whole(place, exact):
        _link_ourselves(place)
        return place / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=folder))
    try:
        _run([interpreter, "-m", "venv", "--without-pip", str(draft)], "No virtual environment can be made")
        linked = _link(exact, present, _site(draft)) if minor == _minor(platform.python_version()) else set()
        _install({name: version for name, version in exact.items() if name not in linked}, draft, say)
        _link_ourselves(draft)
        _run(
            [str(draft / "bin" / "python"), "-c", "import runyard.project.child, runyard.config, runyard.tracking"],
            f"Runyard {runyard.__version__} does not work with these packages",
        )
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
    except OSError as error:
        if not _is_whole(place, exact):  # nobody else was faster
            raise ServiceError(f"{error.filename or place} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place / "bin" / "python"


def _find_python(version: str) -> tuple[str, str]:
    minor = _minor(version)
    if minor == _minor(platform.python_version()):
        return sys.executable, minor
    found = shutil.which(f"python{minor}")
    if found is None:
        raise ServiceError(
            f"Python {minor} is not on this machine, and the run had {version or 'an unknown version'}. "
            "Install it, or use this environment as it is: --env same."
        )
    return found, minor


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _site(place: Path) -> Path:
    return next(place.glob("lib/python*/site-packages"))


def _is_whole(place: Path, wanted: Packages) -> bool:
    """Whether an environment still is what it was made as: linked packages may have been upgraded since."""
    if not (place / "bin" / "python").exists():
        return False
    found = {
        _normal(d.metadata["Name"]): d.version
        for d in metadata.distributions(path=[str(_site(place))])
        if d.metadata["Name"]
    }
    return dict(wanted) == {name: version for name, version in found.items() if name != OURS}


# ---- linking what is here ----


def _link(wanted: Packages, present: Packages, site: Path) -> set[str]:
    """Link the packages that this environment has as wanted; return their names."""
    same = {_normal(name) for name, version in present.items() if wanted.get(_normal(name)) == version}
    installed = list(_installed())
    linked = [each for each in installed if each.name in same]
    owners: dict[tuple[Path, str], set[str]] = {}
    for each in installed:
        for top in {path.split("/")[0] for path in each.paths}:
            owners.setdefault((each.folder, top), set()).add(each.name)
    names = {each.name for each in linked}
    for each in linked:
        for path in each.paths:
            top = path.split("/")[0]
            shared = not owners[each.folder, top] <= names or len({f for f, t in owners if t == top}) > 1
            _link_path(each.folder, path if shared else top, site)
    return names


def _installed() -> Iterator[_Installed]:
    seen = set()
    for distribution in metadata.distributions():
        name = _normal(distribution.metadata["Name"] or "")
        record = distribution.read_text("RECORD")
        if not name or name in seen:
            continue  # the first on sys.path is the one that is imported
        seen.add(name)
        if record:
            paths = tuple(row[0] for row in csv.reader(record.splitlines()) if row)
            inside = tuple(p for p in paths if p.split("/")[0] not in _NOT_LINKED and not os.path.isabs(p))
            yield _Installed(name, Path(str(distribution.locate_file(""))).resolve(), inside)


def _link_path(folder: Path, path: str, site: Path) -> None:
    source, place = folder / path, site / path
    if not os.path.lexists(place) and source.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(source)


def _link_ourselves(place: Path) -> None:
    link = _site(place) / OURS
    package = Path(runyard.__file__).resolve().parent
    if link.is_symlink() and Path(os.readlink(link)) == package:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(package)


# ---- installing the rest ----


def _install(missing: Packages, place: Path, say: Say) -> None:
    if not missing:
        return
    exact = [f"{name}=={version}" for name, version in missing.items()]
    say(f"installing {len(exact)} package{'s' * (len(exact) != 1)}: {', '.join(exact[:5])}{', …' * (len(exact) > 5)}")
    python = str(place / "bin" / "python")
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *exact]
    else:
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", *exact]
    _run(command, "Packages that the run had cannot be installed", hint="--env same uses this environment as it is.")


def _run(command: list[str], problem: str, *, hint: str = "") -> None:
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S, env=variables)
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{problem}: it took more than {_TIMEOUT_S // 60} minutes. {hint}".rstrip()) from None
    except subprocess.CalledProcessError as error:
        lines = [line.strip(" ╰─▶×") for line in str(error.stderr).splitlines() if line.strip()]
        first = next((i for i, line in enumerate(lines) if "ERROR" in line or "No solution" in line), len(lines) - 1)
        told = " ".join(lines[max(first, 0) :])  # pip says it in one line, uv says why in the next
        raise ServiceError(f"{problem}: {told[:400].rstrip('.')}. {hint}".rstrip()) from None
