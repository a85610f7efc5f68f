"""A repository that exists becomes a project without losing a byte."""

from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.project.template.adopting import adopt
from runyard.project.template.checking import check

pytestmark = pytest.mark.usefixtures("user_home")

ANSWERS = {"name": "old", "task": "tabular", "framework": "sklearn", "ci": "gitlab"}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder as people have them."""
    folder = tmp_path / "old"
    (folder / "src").mkdir(parents=True)
    (folder / "tests" / "data").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("print('mine')\n")
    (folder / "run.py").write_text("print('mine')\n")
    (folder / "requirements.txt").write_text("numpy\n")
    (folder / "tests" / "data" / "own.csv").write_text("x\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_report_tells_what_is_missing_and_what_is_in_the_way_and_writes_nothing(old: Path) -> None:
    before = contents(old)

    found = adopt(old, ANSWERS, source=None, write=False)

    assert {"src/config.py", "docker/Dockerfile", ".copier-answers.yml"} <= set(found.missing)
    assert found.in_the_way == ("run.py",)
    assert found.kept == ("requirements.txt", "src/train.py")
    assert not [name for name in found.missing if name.startswith("tests/data/")]  # it has samples of its own
    assert contents(old) == before


def test_only_what_is_missing_is_written(old: Path) -> None:
    before = contents(old)

    found = adopt(old, ANSWERS, source=None, write=True)

    after = contents(old)
    assert {name: after[name] for name in before} == before
    assert after.keys() == before.keys() | set(found.missing)
    assert {problem.rule for problem in check(old).problems} == {"managed", "entry", "requirements"}


def test_project_is_not_adopted_twice(old: Path) -> None:
    adopt(old, ANSWERS, source=None, write=True)

    with pytest.raises(UsageError, match="is a project already"):
        adopt(old, ANSWERS, source=None, write=False)
    with pytest.raises(UsageError, match="There is no folder"):
        adopt(old / "nowhere", ANSWERS, source=None, write=False)
