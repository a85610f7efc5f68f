"""Importing the modules of a project."""

import sys
from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.project.importing import import_from, project_modules


def a_project(root: Path, **modules: str) -> Path:
    (root / "src").mkdir(parents=True)
    for name, text in modules.items():
        (root / "src" / f"{name}.py").write_text(text)
    return root


def import_alone(root: Path, name: str) -> object:
    with project_modules(root):
        return import_from(root, name)


def test_two_projects_in_one_process_do_not_see_each_other(tmp_path: Path) -> None:
    first = a_project(tmp_path / "first", config="from src.size import SIZE\n", size="SIZE = 1\n")
    second = a_project(tmp_path / "second", config="from src.size import SIZE\n", size="SIZE = 2\n")

    sizes = [import_alone(root, "src.config").SIZE for root in (first, second, first)]  # type: ignore[attr-defined]

    assert sizes == [1, 2, 1]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    root = a_project(tmp_path, config="import src.size\n", size="")
    path, modules = list(sys.path), set(sys.modules)

    import_alone(root, "src.config")

    assert sys.path == path
    assert set(sys.modules) == modules


def test_error_in_the_code_is_told_with_file_line_and_reason(tmp_path: Path) -> None:
    root = a_project(tmp_path, config="import src.size\n", size="x = 1\ny = 1 / 0\n")

    with pytest.raises(UsageError, match=r"^src/size.py:2 cannot be imported: ZeroDivisionError: division by zero$"):
        import_alone(root, "src.config")


def test_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    root = a_project(tmp_path, config="x = 1\ny = (\n")

    with pytest.raises(UsageError, match=r"^src/config.py:2 cannot be imported: SyntaxError"):
        import_alone(root, "src.config")


def test_module_that_leaves_the_process_is_told(tmp_path: Path) -> None:
    root = a_project(tmp_path, config="raise SystemExit(3)\n")

    with pytest.raises(UsageError, match=r"src/config.py:1 cannot be imported: SystemExit: 3"):
        import_alone(root, "src.config")


def test_missing_module_is_told_by_its_file(tmp_path: Path) -> None:
    root = a_project(tmp_path)

    with pytest.raises(UsageError, match=r"There is no src/config.py in"):
        import_alone(root, "src.config")


def test_missing_package_points_to_the_requirements(tmp_path: Path) -> None:
    root = a_project(tmp_path, config="import a_package_that_nobody_has\n")
    (root / "requirements.txt").touch()

    with pytest.raises(UsageError, match=r"src/config.py:1 .*pip install -r requirements.txt"):
        import_alone(root, "src.config")


def test_package_of_the_same_name_elsewhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = a_project(tmp_path / "project", config="")
    elsewhere = a_project(tmp_path / "elsewhere", config="", __init__="")
    monkeypatch.syspath_prepend(str(elsewhere))

    with pytest.raises(UsageError, match=r"found .*elsewhere/src/config.py, not the project in"):
        import_alone(root, "src.config")
