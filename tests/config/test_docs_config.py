"""The code of the page on configs runs as it stands there."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from runyard.config.experiment import load_experiment

PAGE = Path(__file__).parents[2] / "docs" / "config.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ModuleType:
    """The names that the page's Python has defined, run in order in one module."""
    module = ModuleType("page_on_configs")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where pydantic looks the annotations up
    for code in blocks("python"):
        exec(compile(code, str(PAGE), "exec"), vars(module))
    return module


def test_python_of_the_page_runs(page: ModuleType) -> None:
    assert len(page.plan) == 30


def test_experiment_of_the_page_is_what_its_python_makes(page: ModuleType, tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "lr.yaml").write_text(text, encoding="utf-8")

    plan = load_experiment(tmp_path / "lr.yaml", page.DEFAULT).expand()

    assert (len(plan), plan.n_groups) == (30, 10)
