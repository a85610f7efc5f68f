"""docs/notebooks.md: its blocks run, in order, and what stands at the end of one shows itself."""

import ast
import os
import re
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "notebooks.md"


def test_every_python_block_runs_and_shows_something(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.setattr(os, "posix_spawn", lambda *_, **__: os.getpid())  # no supervisor: each costs a second of CPU
    names: dict[str, Any] = {}
    shown = []

    for number, block in enumerate(re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)):
        *before, last = ast.parse(block).body
        name = f"docs/notebooks.md, block {number}"
        exec(compile(ast.Module(before, []), name, "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), name, "eval"), names))
        else:
            exec(compile(ast.Module([last], []), name, "exec"), names)

    pictures = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert ["<table" in html or "<svg" in html for html in pictures] == [True, True, True, False]
    assert "No settings differ" in pictures[-1]
