"""What the data look like, in one place: tests, every training before its first epoch, and the service rely on it."""

from typing import Any

from runyard.contracts import Array, Contract

from src.data_processing.data_loader import CLASSES, SIZE, load


class Digits(Contract):
    image = Array(("n", SIZE, SIZE), dtype="float32", range=(0, 1))
    label = Array(("n",), dtype="int64", values=range(CLASSES))


CONTRACT = Digits()


def sample(config: Any, data: str | None) -> dict[str, Any]:
    """What is checked before a training: all of it, since these images are small. Of large data a part will do."""
    images, labels = load(data or config.data.root)
    return {"image": images, "label": labels}
