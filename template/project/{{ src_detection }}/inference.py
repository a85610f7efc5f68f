"""Inference: the one place that `run.py infer`, the Streamlit page and the container all call."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from runyard import load_model, read_manifest
from runyard.serve import ArrayInput

from src.data_processing.data_loader import SIZE, Images, read_image
from src.models.boxes import decode

# One image, shape (32, 32), values in 0..1. The service takes it as a file, as base64 or as lists of numbers.
Input = Annotated[Images, ArrayInput(shape=(SIZE, SIZE), read=read_image, low=0, high=1)]
Model = Callable[[Images], NDArray[np.float32]]  # images (n, 32, 32) to answers (n, 8, 8, 15)


class Output(NamedTuple):
    """What was found in one image, the surest first; the fields are the columns of `run.py infer`."""

    labels: list[int]  # 0 to 9
    boxes: list[list[float]]  # left, top, right, bottom, in pixels
    probabilities: list[float]  # how sure the model is that something is there, 0..1


def load(path: Path, device: str = "cpu") -> Model:
    """Load a model that `run.save_model` has written, onto "cpu", "cuda" or "cuda:1"."""
    if read_manifest(path).framework == "onnx":  # `runyard package --onnx` made it; it needs no PyTorch
        return load_model(path)
    from src.models.model import Model  # only here, so that a container for ONNX can do without PyTorch

    module = Model(**read_manifest(path).meta["model"])  # src/train.py has noted how it was built
    return load_model(path, into=module, device=device)


def predict(model: Model, inputs: list[Input]) -> list[Output]:
    """Find what is in each image, in the order of the images."""
    if not inputs:
        return []
    return [
        Output([int(box[0]) for box in boxes], [[round(float(edge), 1) for edge in box[1:]] for box in boxes], scores)
        for boxes, scores in decode(model(np.stack(inputs)))
    ]


def read(path: Path) -> list[tuple[str, Images]]:
    """Read the image at `path`, or all PNG files of that folder by name; return them with their names.

    Raises:
        FileNotFoundError: there is nothing at `path`, or the folder holds no PNG files.
    """
    files = sorted(path.glob("*.png")) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"{path} holds no PNG files.")
    return [(file.name, read_image(file)) for file in files]
