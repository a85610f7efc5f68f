"""docs/testing.md: its Python blocks run, in order, and it names everything that is offered."""

import re
from pathlib import Path
from typing import Any

import pytest

from runyard import contracts, testing

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing.md"


def test_every_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("skops")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "document"}

    for number, block in enumerate(re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)):
        exec(compile(block, f"docs/testing.md, block {number}", "exec"), names)

    assert (tmp_path / "tests" / "data" / "outputs.npz").is_file()


def test_the_document_names_everything_that_is_offered() -> None:
    text = DOCUMENT.read_text()
    offered = [*testing.__all__, *contracts.__all__]

    assert [name for name in offered if name not in text] == ["Rehearsal", "ContractBroken", "Problem"]


def test_names_are_imported_when_they_are_used() -> None:
    assert dir(testing) == testing.__all__
    assert all(getattr(testing, name) for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'assert_nothing'"):
        _ = testing.assert_nothing
