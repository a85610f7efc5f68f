"""What the data look like, in one place: tests, every training before its first epoch, and the service rely on it."""

from typing import Any

from runyard.contracts import Array, Boxes, Contract

from src.data_processing.data_loader import CLASSES, load
from src.data_processing.scenes import SIZE


class Scenes(Contract):
    image = Array(("n", SIZE, SIZE), dtype="float32", range=(0, 1))
    boxes = Boxes("n", labels=range(CLASSES), width=SIZE, height=SIZE)  # label, left, top, right, bottom, in pixels


CONTRACT = Scenes()


def sample(config: Any, data: str | None) -> dict[str, Any]:
    """What is checked before a training: all of it, since these images are small. Of large data a part will do."""
    images, boxes = load(data or config.data.root)
    return {"image": images, "boxes": boxes}
