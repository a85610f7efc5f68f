"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from runyard import load_model

from src.data_processing.data_loader import FEATURES, TABLE, Rows, read_rows

Input = dict[str, float | None]  # one row: a value for each column; contract.py says which may be missing
Model = Any  # an estimator of scikit-learn, or a model in ONNX with the same methods


class Output(NamedTuple):
    """One prediction; its fields are the columns of `run.py infer` and the answer of the service."""

    label: int  # 0 to 2
    probability: float  # how sure the model is, 0..1


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` or `runyard package --onnx` has written; it computes on the CPU."""
    return load_model(path)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Predict the label of each row, in the order of the rows."""
    if not inputs:
        return []
    probabilities = model.predict_proba(features(inputs))  # (n, 3)
    labels = probabilities.argmax(axis=1)  # (n,)
    return [Output(int(label), float(row[label])) for label, row in zip(labels, probabilities, strict=True)]


def read(path: Path) -> list[tuple[str, Input]]:
    """Read the rows of a CSV file, or of the table.csv of a folder; return them with their file and line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it lacks a column, or a value is no number.
    """
    table = path / TABLE if path.is_dir() else path
    rows = read_rows(table).astype(float)
    values = [[None if np.isnan(value) else value for value in row] for row in rows.tolist()]
    return [(f"{table.name}:{n}", dict(zip(FEATURES, row, strict=True))) for n, row in enumerate(values, 2)]


def features(inputs: list[Input]) -> Rows:
    """The rows as the model takes them, shape (n, 13); NaN where a value is missing."""
    return np.array([[each.get(name) for name in FEATURES] for each in inputs], dtype=np.float32)
