"""`runyard eject`: a copy of a project that trains and predicts without Runyard, for whoever takes it over.

What the project's code imports of Runyard comes from `src/utils/standalone.py` in the copy; imports that have no
counterpart there are told and left as they are.
"""

import ast
import re
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from runyard.errors import UsageError
from runyard.git import list_files
from runyard.project.template.answers import ANSWERS_FILE

_PARTS = {
    "run.py": "run.py",
    "docker/main.py": "main.py",
    "docker/Dockerfile": "Dockerfile",
    "src/utils/standalone.py": "standalone.py",
    "src/utils/tables.py": "tables.py",
}
_LEFT_OUT = (ANSWERS_FILE, "runyard.toml", ".gitlab-ci.yml", "docker/.dockerignore")
_LEFT_OUT_FOLDERS = (".github/", "src/visualization/", "experiments/")
_CHECKS = ("tests/", "src/data_processing/contract.py")
_COUNTERPARTS = {  # names of Runyard that the copy has, and what they are called there
    **{name: name for name in ("Config", "Field", "Run", "load_model", "read_manifest", "rehearse", "ArrayInput")},
    "RunyardError": "ProjectError as RunyardError",
    "UsageError": "ProjectError as UsageError",
}
_REQUIREMENT = re.compile(r"^runyard\b.*\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Ejected:
    """A copy; `open_ends` has one sentence for each file that still needs Runyard."""

    path: Path
    open_ends: tuple[str, ...]


def eject(root: Path, target: Path) -> Ejected:
    """Copy what Git keeps of a project into a new or empty folder, without Runyard.

    Raises:
        UsageError: the folder is not empty, or lies in the project.
    """
    if target.is_relative_to(root):
        raise UsageError(f"{target} lies in the project. Choose a folder outside.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not empty. Choose a folder that is new or empty.")
    names = [name for name in list_files(root) or () if (root / name).is_file()]
    for name in names:
        if name in _LEFT_OUT or name in _PARTS or name.startswith(_LEFT_OUT_FOLDERS):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target / name)
    for name, part in _PARTS.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((files("runyard.project") / "ejected" / part).read_bytes())
    open_ends = [end for path in sorted(target.rglob("*.py")) for end in _free_or_leave_out(path, target)]
    _change_requirements(target / "requirements.txt")
    readme = target / "README.md"
    if readme.is_file() and "runyard" in readme.read_text(encoding="utf-8", errors="replace"):
        open_ends.append("README.md still tells of Runyard: `python run.py --help` says what there is now.")
    return Ejected(path=target, open_ends=tuple(open_ends))


def _free_or_leave_out(path: Path, target: Path) -> list[str]:
    """As `_free`; tests and the contract that need more of Runyard than there is are no part of the copy."""
    open_ends = _free(path, target)
    name = path.relative_to(target).as_posix()
    if open_ends and name.startswith(_CHECKS):
        path.unlink()
        return [f"{name} was left out: it needs Runyard."]
    return open_ends


def _free(path: Path, target: Path) -> list[str]:
    """Let a module import from the copy what it imported from Runyard; return what has no counterpart."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    lines = text.splitlines(keepends=True)
    open_ends = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "runyard" and not node.level:
            names = [each.name for each in node.names]
            unknown = [name for name in names if name not in _COUNTERPARTS]
            if unknown or any(each.asname for each in node.names):
                open_ends.append(_open_end(path, target, node.lineno, f"{node.module}: {', '.join(unknown or names)}"))
                continue
            wanted = ", ".join(_COUNTERPARTS[name] for name in names)
            indent = lines[node.lineno - 1][: node.col_offset]
            lines[node.lineno - 1 : node.end_lineno] = [
                f"{indent}from src.utils.standalone import {wanted}\n",
                *[""] * ((node.end_lineno or node.lineno) - node.lineno),
            ]
        elif isinstance(node, ast.Import) and any(each.name.split(".")[0] == "runyard" for each in node.names):
            open_ends.append(_open_end(path, target, node.lineno, "runyard"))
    path.write_text("".join(lines), encoding="utf-8")
    return open_ends


def _open_end(path: Path, target: Path, line: int, what: str) -> str:
    return f"{path.relative_to(target).as_posix()}:{line} still imports {what}."


def _change_requirements(path: Path) -> None:
    if path.is_file():
        text = _REQUIREMENT.sub("", path.read_text(encoding="utf-8"))
        path.write_text(f"pydantic>=2.10,<3       # settings\n{text}", encoding="utf-8")
