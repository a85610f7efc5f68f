"""docs/showing.md: its Python blocks run, in order."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runyard.tracking import Run
from runyard.tracking.predictions import read_predictions
from tests.apps import showroom
from tests.apps.seams import LABELS, inspected

DOCUMENT = Path(__file__).parents[2] / "docs" / "showing.md"


def test_every_python_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[Any] = []

    class Training:
        """Takes what a training hands over."""

        def log_predictions(self, *given: Any, **more: Any) -> None:
            kept.append((given, more))

    logged, page, values = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    answers = inspected(40)
    assert hasattr(Run, "log_predictions")
    names = {"run": Training(), "targets": answers.targets, "scores": answers.scores, "images": np.zeros((40, 8, 8))}
    exec(compile(logged, "docs/showing.md", "exec"), names)
    ((_, more),) = kept
    assert more["labels"] == list(LABELS)

    demo, found = showroom.build(tmp_path / "demo"), dict[str, Any]()
    monkeypatch.syspath_prepend(str(demo / "app"))
    exec(compile(page.replace("app.run()", "pages = app.pages"), "docs/showing.md", "exec"), found)
    assert found["pages"] == ["try", "threshold", "errors", "compare", "report"]
    for name in [name for name in sys.modules if name == "src" or name.startswith("src.")]:
        del sys.modules[name]

    runs = demo / "runs"
    read: dict[str, Any] = {
        "predictions": read_predictions(runs / showroom.NEW / "predictions.npz"),
        "others": read_predictions(runs / showroom.OLD / "predictions.npz"),
    }
    exec(compile(values, "docs/showing.md", "exec"), read)
    assert len(capsys.readouterr().out.splitlines()) == 3
