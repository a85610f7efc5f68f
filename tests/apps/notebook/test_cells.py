import ast

import pytest

from runyard.apps.notebook import Subject, as_ipynb, as_percent, cells_about
from runyard.apps.notebook.cells import Kind

HOSTILE = 'a"\n# %%\nimport os\n"""<script>alert(1)</script>`$x$` \u202e'


def a_subject(count: int = 2) -> Subject:
    ids = [f"run{number}" for number in range(count)]
    return Subject(
        project=HOSTILE,
        ids=ids,
        names=[HOSTILE] * count,
        metrics=[HOSTILE, "loss"],
        with_media=ids,
        with_predictions=ids,
    )


@pytest.mark.parametrize("count", [1, 2, 50])
def test_every_cell_is_python_or_one_piece_of_text(count: int) -> None:
    cells = cells_about(a_subject(count))

    for cell in cells:
        if cell.kind == "code":
            ast.parse(cell.text)
        else:
            assert "<script>" not in cell.text.replace("\\<", "")
    assert len(cells) < 25


def test_the_script_of_a_hostile_project_holds_its_cells_and_nothing_else() -> None:
    cells = cells_about(a_subject())

    script = as_percent(cells)

    ast.parse(script)
    assert script.count("\n# %%") == len(cells) - 1
    assert not [line for line in script.splitlines() if line.startswith("import os")]


def test_the_document_is_one_of_jupyter() -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")

    nbformat.validate(as_ipynb(cells_about(a_subject())))


def test_a_notebook_about_nothing_but_settings_asks_for_nothing_else() -> None:
    cells = cells_about(Subject(project="weld", ids=["a"], metrics=()))

    text = as_percent(cells)
    assert "series" not in text
    assert "media" not in text
    assert "predictions" not in text


def test_each_kind_asks_its_own_questions() -> None:
    compare, errors = (as_percent(cells_about(a_subject(), kind)) for kind in (Kind.COMPARE, Kind.ERRORS))

    ast.parse(compare)
    ast.parse(errors)
    assert "config_diff" in compare
    assert "predictions" not in compare
    assert "rs.confusion_table(answers)" in errors
    assert "rs.error_gallery(answers, most=12)" in errors
    assert "config_diff" not in errors
    assert "series" not in errors
