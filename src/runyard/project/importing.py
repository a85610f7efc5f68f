"""Importing a project's own modules, so that two projects in one process never see each other's.

Every project calls its package `src`. What is imported from one is therefore forgotten again,
unless the process belongs to that project alone (`run.py infer`).
"""

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from runyard import garbage
from runyard.errors import UsageError


@contextmanager
def project_modules(root: Path, *, package: str = "src") -> Iterator[None]:
    """Import from `root` inside this block; afterwards `sys.path` and `sys.modules` are as they were before."""
    path = list(sys.path)
    before = _forget(package)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path
        _forget(package)
        sys.modules.update(before)


def import_from(root: Path, name: str) -> ModuleType:
    """Import the module `name` of the project at `root`, whose folder stays first on `sys.path`.

    Raises:
        UsageError: there is no such module, it raises, or another package of that name is in the way.
    """
    if sys.path[:1] != [str(root)]:
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever the project's code raises is the user's to read
        raise UsageError(_tell(error, name, root)) from error
    finally:
        garbage.collect_as_usual()
    _check_origin(module, name, root)
    return module


def _forget(package: str) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == package or name.startswith(package + ".")]
    return {name: sys.modules.pop(name) for name in names}


def _check_origin(module: ModuleType, name: str, root: Path) -> None:
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"`import {name}` found {file or 'a folder without Python files'}, not the project in {root}. "
            f"Another package is called '{name.partition('.')[0]}'; uninstall it, or start a fresh environment."
        )


def _tell(error: BaseException, name: str, root: Path) -> str:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name and _is_part_of(name, error.name):
        return f"There is no {error.name.replace('.', '/')}.py in {root}, but '{name}' is to be imported from there."
    message = f"{_place(error, root) or name} cannot be imported: {what}"
    if isinstance(error, ModuleNotFoundError) and error.name and (root / "requirements.txt").is_file():
        message += ". Is everything installed? pip install -r requirements.txt"
    return message


def _is_part_of(name: str, missing: str) -> bool:
    return name == missing or name.startswith(missing + ".")


def _place(error: BaseException, root: Path) -> str:
    """The innermost line of the project that the error went through, as `src/config.py:12`, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename, root)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).is_relative_to(root)]
    return f"{_relative(inside[-1].filename, root)}:{inside[-1].lineno}" if inside else ""


def _relative(filename: str, root: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(root)) if path.is_relative_to(root) else filename
