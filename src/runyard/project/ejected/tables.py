"""Predictions as a table."""

import csv
from pathlib import Path
from typing import Any

from src import inference


def write_predictions(model: Any, inputs: Path, output: Path) -> int:
    """Predict a folder or a file and write one line each; return how many."""
    found = inference.read(inputs)
    predictions = inference.predict(model, [item for _, item in found])
    rows = [_columns(prediction) for prediction in predictions]
    with output.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["input", *(rows[0] if rows else ())])
        table.writeheader()
        table.writerows({"input": name, **row} for (name, _), row in zip(found, rows, strict=True))
    return len(rows)


def _columns(prediction: Any) -> dict[str, Any]:
    for way in ("_asdict", "model_dump"):
        if hasattr(prediction, way):
            return dict(getattr(prediction, way)())
    return dict(prediction) if isinstance(prediction, dict) else {"prediction": prediction}
