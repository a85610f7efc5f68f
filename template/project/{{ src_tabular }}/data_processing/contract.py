"""What the data look like, in one place: tests, every training before its first epoch, and the service rely on it."""

from typing import Any

from runyard.contracts import Array, Contract, Table

from src.data_processing.data_loader import CLASSES, columns, load

# A column of categories would be Array(dtype="text", values=("red", "white")).
COLUMNS = {
    "alcohol": Array(dtype="number", range=(0, 20)),  # percent by volume
    "malic_acid": Array(dtype="number", range=(0, 15)),
    "ash": Array(dtype="number", range=(0, 10)),
    "alcalinity_of_ash": Array(dtype="number", range=(0, 60)),
    "magnesium": Array(dtype="number", range=(0, 500)),
    "total_phenols": Array(dtype="number", range=(0, 10)),
    "flavanoids": Array(dtype="number", range=(0, 10)),
    "nonflavanoid_phenols": Array(dtype="number", range=(0, 3)),
    "proanthocyanins": Array(dtype="number", range=(0, 10)),
    "color_intensity": Array(dtype="number", range=(0, 30)),
    "hue": Array(dtype="number", range=(0, 5)),
    "od280/od315_of_diluted_wines": Array(dtype="number", range=(0, 10)),
    "proline": Array(dtype="number", range=(0, 5000), missing=True),  # not every laboratory measures it
}


class Wines(Contract):
    row = Table(COLUMNS)
    label = Array(("rows",), dtype="int64", values=range(CLASSES))  # as many as there are rows


CONTRACT = Wines()


def sample(config: Any, data: str | None) -> dict[str, Any]:
    """What is checked before a training: all of it, since this table is small. Of large data a part will do."""
    rows, labels = load(data or config.data.root)
    return {"row": columns(rows), "label": labels}
