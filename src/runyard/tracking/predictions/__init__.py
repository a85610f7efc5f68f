"""What a model answered for each sample of an evaluation set, kept as one file of the run.

With it a threshold can be moved, errors looked at and two models compared, without a model and without a GPU.
"""

from runyard.tracking.predictions.collecting import collect, collect_boxes
from runyard.tracking.predictions.detection import SURE, Detection
from runyard.tracking.predictions.predictions import (
    FILE,
    KIND,
    NOTHING,
    Predictions,
    Task,
    read_predictions,
    write_predictions,
)

__all__ = [
    "FILE",
    "KIND",
    "NOTHING",
    "SURE",
    "Detection",
    "Predictions",
    "Task",
    "collect",
    "collect_boxes",
    "read_predictions",
    "write_predictions",
]
