"""A notebook as a file: Jupyter's JSON, or a Python script whose cells begin with `# %%`."""

import json
from collections.abc import Sequence
from typing import Any

from runyard.apps.notebook.cells import Cell

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def as_ipynb(cells: Sequence[Cell]) -> dict[str, Any]:
    """The document of Jupyter's format 4.5, without outputs."""
    return {
        "cells": [_cell(cell, number) for number, cell in enumerate(cells, start=1)],
        "metadata": {"kernelspec": _KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def as_percent(cells: Sequence[Cell]) -> str:
    """The script: editors show its cells, reviewers read it, and it holds no outputs."""
    return "\n\n".join(_script(cell) for cell in cells) + "\n"


def as_json(document: Any) -> str:
    """The text of an .ipynb as Jupyter itself writes it, so that saving it there changes nothing."""
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _cell(cell: Cell, number: int) -> dict[str, Any]:
    made = {"cell_type": cell.kind, "id": f"cell-{number}", "metadata": {}, "source": cell.text}
    return made | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})


def _script(cell: Cell) -> str:
    if cell.kind == "code":
        return f"# %%\n{cell.text}"
    return "# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in cell.text.splitlines())
