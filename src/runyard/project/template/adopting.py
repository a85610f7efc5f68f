"""`runyard adopt`: a repository that exists becomes a project. What it has stays as it is; what is missing is written."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import UsageError
from runyard.project.template.answers import ANSWERS_FILE, read_answers
from runyard.project.template.classes import FileClass, class_of
from runyard.project.template.rendering import render
from runyard.project.template.sources import choose, template_at

_SAMPLES = "tests/data/"


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """What a repository lacks of a project.

    Attributes:
        missing: files that would be written.
        in_the_way: managed files that are there with other contents: `runyard check --fix` would replace them.
        kept: files of the template that the repository has in its own form.
        version: of the template.
    """

    root: Path
    missing: tuple[str, ...]
    in_the_way: tuple[str, ...]
    kept: tuple[str, ...]
    version: str


def adopt(root: Path, answers: Mapping[str, object], *, source: str | None, write: bool) -> Adoption:
    """Compare a folder with a new project of these answers; with `write` add what is missing.

    Raises:
        UsageError: it is a project already, or no folder.
    """
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}.")
    if read_answers(root) is not None:
        raise UsageError(f"{root} is a project already. `runyard check` looks at it, `runyard update` renews it.")
    template = template_at(source)
    version = choose(template.versions(), None)
    with tempfile.TemporaryDirectory(prefix="runyard-") as scratch:
        fresh = Path(scratch, "project")
        render(template, version, fresh, answers)
        names = sorted(path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.is_file())
        if any((root / _SAMPLES).glob("*")):
            names = [name for name in names if not name.startswith(_SAMPLES)]  # it has samples of its own
        missing = [name for name in names if not _exists(root / name)]
        differing = [name for name in names if _exists(root / name) and not _is_same(root / name, fresh / name)]
        if write:
            for name in [*(each for each in missing if each != ANSWERS_FILE), ANSWERS_FILE]:  # the last one says: done
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(fresh / name, root / name)
    return Adoption(
        root=root,
        missing=tuple(missing),
        in_the_way=tuple(name for name in differing if class_of(name) is FileClass.MANAGED),
        kept=tuple(name for name in differing if class_of(name) is not FileClass.MANAGED),
        version=version,
    )


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()  # a broken link is something of the owner's, too


def _is_same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()
