"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from runyard import load_model

from src.data_processing.data_loader import SCALE, WINDOW, Windows, read_columns

# The 24 points before the one to forecast, the latest last: {"time": [...], "value": [...]}
Input = dict[str, list[float | str]]
Model = Any  # an estimator of scikit-learn, or a model in ONNX with the same methods


class Output(NamedTuple):
    """One forecast; its fields are the columns of `run.py infer` and the answer of the service."""

    value: float  # in the units of the series


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` or `runyard package --onnx` has written; it computes on the CPU."""
    return load_model(path)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Forecast what follows each window, in the order of the windows."""
    if not inputs:
        return []
    return [Output(float(value) * SCALE) for value in model.predict(features(inputs))]


def read(path: Path) -> list[tuple[str, Input]]:
    """Read all windows of a CSV file, or of the series.csv of a folder; return each with the time of its latest point.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is too short for a forecast, or a value is no finite number.
    """
    series = read_columns(path)
    n_points = len(series["time"])
    if n_points < WINDOW:
        raise ValueError(f"{path} has {n_points} points; a forecast is made from {WINDOW}.")
    windows = [
        {name: values[end - WINDOW : end] for name, values in series.items()} for end in range(WINDOW, n_points + 1)
    ]
    return [(f"after {window['time'][-1]}", window) for window in windows]


def features(inputs: list[Input]) -> Windows:
    """The windows as the model takes them, shape (n, 24)."""
    return np.array([each["value"] for each in inputs], dtype=np.float32) / np.float32(SCALE)
