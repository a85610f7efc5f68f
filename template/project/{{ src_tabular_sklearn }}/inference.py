"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from runyard import load_model
from runyard.serve import ArrayInput

from src.data_processing.data_loader import FEATURES, TABLE, Rows, read_rows
from src.models.model import Model

Input = Annotated[Rows, ArrayInput(shape=(len(FEATURES),))]  # one row, shape (13,)


class Output(NamedTuple):
    """One prediction; its fields are the columns of `run.py infer`."""

    label: int  # 0 to 2
    probability: float  # how sure the model is, 0..1


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` has written. scikit-learn computes on the CPU, whatever `device` says."""
    return load_model(path)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Predict the label of each row, in the order of the rows."""
    if not inputs:
        return []
    probabilities = model.predict_proba(np.stack(inputs))  # (n, 3)
    labels = probabilities.argmax(axis=1)  # (n,)
    return [Output(int(label), float(row[label])) for label, row in zip(labels, probabilities, strict=True)]


def read(path: Path) -> list[tuple[str, Rows]]:
    """Read the rows of a CSV file, or of the table.csv of a folder; return them with their file and line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it lacks a column, or a value does not fit.
    """
    table = path / TABLE if path.is_dir() else path
    return [(f"{table.name}:{number}", row) for number, row in enumerate(read_rows(table), 2)]
