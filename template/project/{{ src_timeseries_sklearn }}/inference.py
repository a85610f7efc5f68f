"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from runyard import load_model
from runyard.serve import ArrayInput

from src.data_processing.data_loader import SCALE, SERIES, WINDOW, Windows, read_series
from src.models.model import Model

# The points before the one to forecast, shape (24,), the latest last.
Input = Annotated[Windows, ArrayInput(shape=(WINDOW,))]


class Output(NamedTuple):
    """One forecast; its fields are the columns of `run.py infer`."""

    value: float  # in the units of the series


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` has written. scikit-learn computes on the CPU, whatever `device` says."""
    return load_model(path)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Forecast what follows each window, in the order of the windows."""
    if not inputs:
        return []
    return [Output(float(value) * SCALE) for value in model.predict(np.stack(inputs) / SCALE)]


def read(path: Path) -> list[tuple[str, Windows]]:
    """Read all windows of a CSV file, or of the series.csv of a folder; return each with the time of its latest point.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is too short for a forecast, or a value is no finite number.
    """
    series = path / SERIES if path.is_dir() else path
    points = read_series(series)
    if len(points) < WINDOW:
        raise ValueError(f"{series} has {len(points)} points; a forecast is made from {WINDOW}.")
    values = np.array([value for _, value in points], dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, WINDOW)
    return [(f"after {time}", window) for (time, _), window in zip(points[WINDOW - 1 :], windows, strict=True)]
