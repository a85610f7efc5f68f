"""A project's inference as small as can be: the brightness of images of 4 x 4 pixels, and the price of rows."""

import io
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field

from runyard.delivery import PackageOrder, make_package
from runyard.serve import ArrayInput, Service, serve
from runyard.tracking.models import load_model, save_model

Pixels = NDArray[np.float32]
SIZE = 4


def read_image(file: Any) -> Pixels:
    with Image.open(file) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)


Input = Annotated[Pixels, ArrayInput(shape=(SIZE, SIZE), read=read_image, low=0, high=1)]


class Output(BaseModel):
    is_bright: bool
    brightness: float


def load(path: Path, device: str = "cpu") -> Any:
    return load_model(path)


def predict(model: Any, inputs: list[Input]) -> list[Output]:
    values = np.stack(inputs).mean(axis=(1, 2)) * model["factor"]
    return [Output(is_bright=value > 0.5, brightness=value) for value in values]


class Row(BaseModel):
    length_mm: float = Field(gt=0)
    kind: str = "plain"


class Price(BaseModel):
    euros: float


def price(model: Any, inputs: list[Row]) -> list[Price]:
    return [Price(euros=row.length_mm * float(model["factor"])) for row in inputs]


def png(level: float, size: int = SIZE) -> bytes:
    """An even image; `level` from 0 to 1."""
    file = io.BytesIO()
    Image.new("L", (size, size), round(level * 255)).save(file, "PNG")
    return file.getvalue()


def inference(predict: Any = predict) -> ModuleType:
    """What stands in for src/inference.py."""
    module = ModuleType("src.inference")
    vars(module).update(load=load, predict=predict)
    return module


def package(folder: Path, *, factor: float = 1.0) -> Path:
    """A model package with three golden images, in `folder`/package."""
    save_model({"factor": np.float64(factor)}, folder / "saved", meta={"run": "8fk2aaaaaa"})
    samples = folder / "samples"
    samples.mkdir()
    for level in (0.0, 0.4, 1.0):
        (samples / f"grey-{level}.png").write_bytes(png(level))
    origin = {"project": "weld", "run": "8fk2aaaaaa", "commit": "abc"}
    metrics: dict[str, dict[str, float | None]] = {"val/accuracy": {"last": 0.9, "min": 0.1, "max": 0.95}}
    order = PackageOrder(
        model=folder / "saved", inference=inference(), samples=samples, origin=origin, metrics=metrics, threshold=0.5
    )
    return make_package(order, folder / "package").folder


def service(model: Path, **settings: Any) -> Service:
    """A service of images, unless `predict` says otherwise."""
    given: dict[str, Any] = {"load": load, "predict": predict, "title": "weld"} | settings
    return serve(given.pop("load"), given.pop("predict"), model=model, **given)
