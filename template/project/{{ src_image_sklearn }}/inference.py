"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel
from runyard import load_model
from runyard.serve import ArrayInput

from src.data_processing.data_loader import SIZE, Images, read_image
from src.models.model import features

# One image, shape (8, 8), values in 0..1. The service takes it as a file, as base64 or as lists of numbers.
Input = Annotated[Images, ArrayInput(shape=(SIZE, SIZE), read=read_image, low=0, high=1)]

Model = Any  # an estimator of scikit-learn, or a model in ONNX with the same methods


class Output(BaseModel):
    """One prediction; its fields are the columns of `run.py infer` and the answer of the service."""

    label: int  # 0 to 9
    probability: float  # how sure the model is, 0..1


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` or `runyard package --onnx` has written; it computes on the CPU."""
    return load_model(path)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Predict the digit of each image, in the order of the images."""
    if not inputs:
        return []
    probabilities = model.predict_proba(features(np.stack(inputs)))  # (n, 10)
    labels = probabilities.argmax(axis=1)  # (n,)
    pairs = zip(labels, probabilities, strict=True)
    return [Output(label=int(label), probability=float(row[label])) for label, row in pairs]


def read(path: Path) -> list[tuple[str, Images]]:
    """Read the image at `path`, or all PNG files of that folder by name; return them with their names.

    Raises:
        FileNotFoundError: there is nothing at `path`, or the folder holds no PNG files.
    """
    files = sorted(path.glob("*.png")) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"{path} holds no PNG files.")
    return [(file.name, read_image(file)) for file in files]
