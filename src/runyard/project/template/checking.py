"""`runyard check`: is a project as every project is? Each rule looks at one thing and tells it with its place.

Nothing here asks a network or starts Copier, so that forty repositories take seconds and CI can run it at every commit.
"""

import ast
import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runyard.errors import ConfigError, RunyardError
from runyard.git import run_git
from runyard.project.project import SETTINGS_FILE, Project, load_project
from runyard.project.template.answers import ANSWERS_FILE, Answers, read_answers
from runyard.project.template.classes import MANAGED
from runyard.project.template.sources import OWN_ADDRESS, OwnTemplate, sort_versions

LARGEST_NOTEBOOK_BYTES = 1 << 20
FILES = (
    "run.py",
    SETTINGS_FILE,
    "requirements.txt",
    "README.md",
    ".gitignore",
    "docker/Dockerfile",
    "docker/.dockerignore",
    "docker/main.py",
    "src/config.py",
    "src/inference.py",
)
FOLDERS = ("src/data_processing", "src/models", "src/visualization", "tests/unit", "tests/integration")
CALLED = ("load", "predict", "read")  # of src/inference.py: `run.py infer`, the page and the container call them

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(?P<version>[^;#]*)")
_HAS_LIMIT = re.compile(r"===?|~=|<|@")
_PLACE = re.compile(r"(?P<path>[^\s:]+\.\w+):(?P<line>\d+):?\s*(?P<text>.*)", re.DOTALL)
_UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        rule: its name, a key of RULES.
        level: an error makes the check fail, a warning does not.
        path: the file or folder within the project, with slashes.
        line: from 1 on.
        text: one or two sentences: what is wrong, and what to do.
        can_be_fixed: `fix` knows how.
    """

    rule: str
    level: Literal["error", "warning"]
    path: str
    line: int = 1
    text: str
    can_be_fixed: bool = False


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A project and what is wrong with it. `latest` is the newest version of its template that is known here."""

    root: Path
    name: str
    version: str
    latest: str
    problems: tuple[Problem, ...]

    @property
    def is_in_order(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return all(problem.level != "error" for problem in self.problems)


@dataclass(frozen=True, kw_only=True)
class _Subject:
    root: Path
    project: Project | None
    answers: Answers | None


def check(root: Path) -> Checked:
    """Apply all rules to the project at `root`."""
    problems: list[Problem] = []
    project = None
    try:
        project = load_project(root)
    except RunyardError as error:
        if (root / SETTINGS_FILE).is_file():  # else the structure tells that it is missing
            problems.append(_placed(Problem(rule="settings", level="error", path=SETTINGS_FILE, text=str(error)), root))
    answers = read_answers(root)
    subject = _Subject(root=root, project=project, answers=answers)
    for rule in RULES.values():
        problems += rule(subject)
    return Checked(
        root=root,
        name=project.name if project else root.name,
        version=answers.version if answers else "",
        latest=latest_version(answers),
        problems=tuple(problems),
    )


def latest_version(answers: Answers | None) -> str:
    """The newest version of a project's template; empty if it is not Runyard's own, which nobody here knows."""
    if answers is None or answers.address != OWN_ADDRESS:
        return ""
    return OwnTemplate().versions()[-1]


def versions_behind(answers: Answers | None) -> int | None:
    """How many newer versions of its template there are; None if that is not known."""
    if answers is None or answers.address != OWN_ADDRESS:
        return None
    known = OwnTemplate().versions()
    if answers.version in known:
        return len(known) - 1 - known.index(answers.version)
    order = sort_versions([*known, answers.version])
    return len(order) - 1 - order.index(answers.version) if answers.version in order else None


def fix(root: Path, problem: Problem) -> None:
    """Put right what can be: restore a managed file, take the outputs out of a notebook."""
    path = root / problem.path
    if problem.rule == "managed":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_managed_bytes(read_answers(root), problem.path) or b"")
    elif problem.rule == "notebooks":
        _strip(path)


# ---- the rules ----


def _structure(subject: _Subject) -> Iterator[Problem]:
    for name in FILES:
        if not (subject.root / name).is_file() and name not in MANAGED:  # those have a rule of their own
            yield _error("structure", name, f"{name} is missing. Every project has it; `runyard adopt` writes it anew.")
    for name in FOLDERS:
        if not (subject.root / name).is_dir():
            yield _error("structure", name, f"The folder {name} is missing. Every project has it.")


def _managed(subject: _Subject) -> Iterator[Problem]:
    for name in MANAGED:
        wanted = _managed_bytes(subject.answers, name)
        if wanted is None:
            continue  # a template of others, or a version that this Runyard does not know
        path = subject.root / name
        found = path.read_bytes() if path.is_file() else None
        if found == wanted:
            continue
        line = 1 if found is None else _first_difference(found, wanted)
        what = "is missing" if found is None else f"differs from template {_version(subject)} (line {line})"
        where = "put project code in src/" if name.endswith(".py") else "it is the same in every project"
        text = f"{name} {what}. It is managed; {where}. Restore it with `runyard check --fix {name}`."
        yield Problem(rule="managed", level="error", path=name, line=line, text=text, can_be_fixed=True)


def _template(subject: _Subject) -> Iterator[Problem]:
    answers = subject.answers
    if answers is None or not answers.version:
        text = f"{ANSWERS_FILE} does not tell which template this project has. `runyard adopt` writes it."
        yield _warning("template", ANSWERS_FILE, text)
        return
    behind = versions_behind(answers)
    if behind:
        number = f"{behind} version{'s' * (behind != 1)}"
        text = f"The template is {number} behind: {answers.version}, the newest is {latest_version(answers)}."
        yield _warning("template", ANSWERS_FILE, f"{text} `runyard update` takes it over.")


def _entry(subject: _Subject) -> Iterator[Problem]:
    if subject.project:
        module, _, function = subject.project.entry.partition(":")
        yield from _defines(subject, module.replace(".", "/") + ".py", (function,), "run.py train")
    yield from _defines(subject, "src/inference.py", CALLED, "run.py infer and the container")


def _config(subject: _Subject) -> Iterator[Problem]:
    if subject.project is None:
        return
    name = subject.project.config_module.replace(".", "/") + ".py"
    if not (subject.root / name).is_file():
        return  # the structure has told
    with contextlib.redirect_stdout(sys.stderr):  # what the project prints must not get into our documents
        try:
            found = subject.project.load_config()
        except ConfigError as error:
            yield from (_placed(_error("config", name, text), subject.root) for text in error.problems)
            return
        except RunyardError as error:
            yield _placed(_error("config", name, str(error)), subject.root)
            return
        yield from _experiments(subject.root, found.default)


def _experiments(root: Path, default: Any) -> Iterator[Problem]:  # a config of the project's own class
    from runyard.config.experiment import load_experiment  # late: few projects have such files

    for path in sorted([*root.glob("experiments/*.yaml"), *root.glob("experiments/*.yml")]):
        name = path.relative_to(root).as_posix()
        try:
            load_experiment(path, default).expand(yes=True, max_runs=1_000_000)
        except ConfigError as error:
            yield from (_placed(_error("experiments", name, text), root) for text in error.problems)


def _pickles(subject: _Subject) -> Iterator[Problem]:
    for path in sorted(subject.root.glob("docker/*.py")):
        name = path.relative_to(subject.root).as_posix()
        tree = _parsed(path)
        for node in ast.walk(tree) if tree else ():
            call = _unpickling(node)
            if call:
                text = f"{call} executes whatever a model file says. Save models with run.save_model, load them in src/inference.py."
                yield Problem(rule="pickle", level="error", path=name, line=getattr(node, "lineno", 1), text=text)


def _requirements(subject: _Subject) -> Iterator[Problem]:
    path = subject.root / "requirements.txt"
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        found = _REQUIREMENT.match(line.strip())
        if found and not _HAS_LIMIT.search(found["version"]):
            text = f"{found['name']} is not pinned: write a version that it must not pass, as in {found['name']}>=1.2,<2."
            yield Problem(rule="requirements", level="error", path="requirements.txt", line=number, text=text)


def _pipeline(subject: _Subject) -> Iterator[Problem]:
    name = ".gitlab-ci.yml"
    path = subject.root / name
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if "runyard check" not in text or "tests/unit" not in text:
        yield _warning("pipeline", name, f"{name} does not run `runyard check` and tests/unit, so nobody sees them fail.")
    if "CI_OPEN_MERGE_REQUESTS" not in text:
        yield _warning("pipeline", name, f"{name} has no workflow rules: a push to a merge request starts two pipelines.")


def _notebooks(subject: _Subject) -> Iterator[Problem]:
    listed = run_git(subject.root, "ls-files", "-z", "--", "*.ipynb")
    for name in (listed or b"").decode(errors="surrogateescape").split("\0"):
        path = subject.root / name
        if not name or not path.is_file():
            continue
        size = path.stat().st_size
        if _has_outputs(path):
            text = f"{name} is committed with outputs, which nobody can review. `runyard check --fix` strips them."
            yield Problem(rule="notebooks", level="warning", path=name, text=text, can_be_fixed=True)
        elif size > LARGEST_NOTEBOOK_BYTES:
            yield _warning("notebooks", name, f"{name} has {size / 1e6:.1f} MB. Keep large notebooks out of the repository.")


RULES: dict[str, Callable[[_Subject], Iterator[Problem]]] = {
    "structure": _structure,
    "managed": _managed,
    "template": _template,
    "entry": _entry,
    "config": _config,
    "pickle": _pickles,
    "requirements": _requirements,
    "pipeline": _pipeline,
    "notebooks": _notebooks,
}


# ---- what the rules share ----


def _error(rule: str, path: str, text: str) -> Problem:
    return Problem(rule=rule, level="error", path=path, text=text)


def _warning(rule: str, path: str, text: str) -> Problem:
    return Problem(rule=rule, level="warning", path=path, text=text)


def _placed(problem: Problem, root: Path) -> Problem:
    """Move the file and line that a message begins with to where they belong."""
    text = problem.text.replace(f"{root}/", "")
    found = _PLACE.match(text)
    if not found:
        return Problem(rule=problem.rule, level=problem.level, path=problem.path, text=text)
    return Problem(
        rule=problem.rule, level=problem.level, path=found["path"], line=int(found["line"]), text=found["text"]
    )


def _version(subject: _Subject) -> str:
    return subject.answers.version if subject.answers and subject.answers.version else latest_of_own()


def latest_of_own() -> str:
    """The newest version of Runyard's own template."""
    return OwnTemplate().versions()[-1]


def _managed_bytes(answers: Answers | None, name: str) -> bytes | None:
    own = OwnTemplate()
    if answers is not None and answers.address == OWN_ADDRESS:
        return own.read(answers.version, name)
    return own.read(latest_of_own(), name) if name == "run.py" else None  # run.py is the same in all projects, for good


def _first_difference(found: bytes, wanted: bytes) -> int:
    lines = zip(found.splitlines(), wanted.splitlines(), strict=False)
    return next((n for n, (one, other) in enumerate(lines, 1) if one != other), 1 + min(found.count(b"\n"), wanted.count(b"\n")))


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _defines(subject: _Subject, name: str, functions: tuple[str, ...], who: str) -> Iterator[Problem]:
    path = subject.root / name
    if not path.is_file():
        if name not in FILES:
            yield _error("entry", name, f"{name} is missing; {who} calls {functions[0]} there.")
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        yield Problem(rule="entry", level="error", path=name, line=line, text=f"{name} is no valid Python: {error}.")
        return
    known = set(_names(tree))
    for function in functions:
        if function not in known:
            yield _error("entry", name, f"{name} has no function '{function}', which {who} calls.")


def _names(tree: ast.Module) -> Iterator[str]:
    """What a module defines or imports at its top."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _unpickling(node: ast.AST) -> str:
    """The call that unpickles, as it is written, or nothing."""
    if isinstance(node, ast.ImportFrom) and node.module in _UNPICKLERS:
        return f"Importing from {node.module}"
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return ""
    owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    values = {each.arg: getattr(each.value, "value", None) for each in node.keywords}
    if owner in _UNPICKLERS and node.func.attr in ("load", "loads", "Unpickler", "open"):
        return f"{owner}.{node.func.attr}"
    if (owner, node.func.attr) == ("torch", "load") and values.get("weights_only") is not True:
        return "torch.load without weights_only=True"
    if owner in ("np", "numpy") and node.func.attr == "load" and values.get("allow_pickle") is True:
        return f"{owner}.load with allow_pickle=True"
    return ""


def _has_outputs(path: Path) -> bool:
    return any(cell.get("outputs") for cell in _cells(_notebook(path)))


def _strip(path: Path) -> None:
    notebook = _notebook(path)
    for cell in _cells(notebook):
        cell["outputs"] = []
        cell["execution_count"] = None
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _notebook(path: Path) -> Any:  # JSON of anybody
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


def _cells(notebook: Any) -> list[dict[str, Any]]:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    return [cell for cell in cells or () if isinstance(cell, dict) and cell.get("cell_type") == "code"]
