"""What the data look like, in one place: tests, every training before its first epoch, and the service rely on it."""

from typing import Any

from runyard.contracts import Array, Contract, Series

from src.data_processing.data_loader import WINDOW, read_columns

SUNSPOTS = Series(
    {"value": Array(dtype="number", range=(0, 1000))},  # one channel; the most that was ever seen is 190
    every=1,  # year; of dates: a timedelta
    at_least=WINDOW + 2,
)


class Sunspots(Contract):
    series = SUNSPOTS
    window = SUNSPOTS.window(WINDOW)  # what a forecast is made from


CONTRACT = Sunspots()


def sample(config: Any, data: str | None) -> dict[str, Any]:
    """What is checked before a training: the whole series, and the first window that is made of it."""
    series = read_columns(data or config.data.root)
    return {"series": series, "window": {name: values[:WINDOW] for name, values in series.items()}}
