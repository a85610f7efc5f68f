"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from runyard import load_model, read_manifest
from runyard.serve import ArrayInput

from src.data_processing.data_loader import FEATURES, TABLE, Rows, read_rows
from src.models.model import Model

Input = Annotated[Rows, ArrayInput(shape=(len(FEATURES),))]  # one row, shape (13,)


class Output(NamedTuple):
    """One prediction; its fields are the columns of `run.py infer`."""

    label: int  # 0 to 2
    probability: float  # how sure the model is, 0..1


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` has written, onto "cpu", "cuda" or "cuda:1"."""
    model = Model(**read_manifest(path).meta["model"])  # src/train.py has noted how it was built
    return load_model(path, into=model).to(device).eval()


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Predict the label of each row, in the order of the rows."""
    if not inputs:
        return []
    device = next(model.parameters()).device
    with torch.inference_mode():
        rows = torch.from_numpy(np.stack(inputs)).to(device)  # (n, 13)
        probabilities, labels = model(rows).softmax(dim=1).max(dim=1)  # (n,), (n,)
    return [Output(*pair) for pair in zip(labels.tolist(), probabilities.tolist(), strict=True)]


def read(path: Path) -> list[tuple[str, Rows]]:
    """Read the rows of a CSV file, or of the table.csv of a folder; return them with their file and line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it lacks a column, or a value does not fit.
    """
    table = path / TABLE if path.is_dir() else path
    return [(f"{table.name}:{number}", row) for number, row in enumerate(read_rows(table), 2)]
