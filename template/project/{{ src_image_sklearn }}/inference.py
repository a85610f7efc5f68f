"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from runyard import load_model

from src.data_processing.data_loader import Images, read_image
from src.models.model import Model, features

Input = Images  # one image, shape (8, 8), values in 0..1


class Output(NamedTuple):
    """One prediction; its fields are the columns of `run.py infer`."""

    label: int  # 0 to 9
    probability: float  # how sure the model is, 0..1


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` has written. scikit-learn computes on the CPU, whatever `device` says."""
    return load_model(path)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Predict the digit of each image, in the order of the images."""
    if not inputs:
        return []
    probabilities = model.predict_proba(features(np.stack(inputs)))  # (n, 10)
    labels = probabilities.argmax(axis=1)  # (n,)
    return [Output(int(label), float(row[label])) for label, row in zip(labels, probabilities, strict=True)]


def read(path: Path) -> list[tuple[str, Input]]:
    """Read the image at `path`, or all PNG files of that folder by name; return them with their names.

    Raises:
        FileNotFoundError: there is nothing at `path`, or the folder holds no PNG files.
    """
    files = sorted(path.glob("*.png")) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"{path} holds no PNG files.")
    return [(file.name, read_image(file)) for file in files]
