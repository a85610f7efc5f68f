"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from runyard import load_model, read_manifest

from src.data_processing.data_loader import SCALE, WINDOW, Windows, read_columns

# The 24 points before the one to forecast, the latest last: {"time": [...], "value": [...]}
Input = dict[str, list[float | str]]
Model = Callable[[Windows], NDArray[np.float32]]  # windows (n, 24) to the next values (n,), both / SCALE


class Output(NamedTuple):
    """One forecast; its fields are the columns of `run.py infer` and the answer of the service."""

    value: float  # in the units of the series


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` has written, onto "cpu", "cuda" or "cuda:1"."""
    if read_manifest(path).framework == "onnx":  # `runyard package --onnx` made it; it needs no PyTorch
        return load_model(path)
    from src.models.model import Model  # only here, so that a container for ONNX can do without PyTorch

    module = Model(**read_manifest(path).meta["model"])  # src/train.py has noted how it was built
    return load_model(path, into=module, device=device)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Forecast what follows each window, in the order of the windows."""
    if not inputs:
        return []
    return [Output(float(value) * SCALE) for value in model(features(inputs))]


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
