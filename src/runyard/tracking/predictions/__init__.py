"""What a model answered for each sample of an evaluation set, kept as one file of the run.

With it a threshold can be moved, errors looked at and two models compared, without a model and without a GPU.
"""

from runyard.tracking.predictions.collecting import collect
from runyard.tracking.predictions.predictions import FILE, KIND, Predictions, Task, read_predictions, write_predictions

__all__ = ["FILE", "KIND", "Predictions", "Task", "collect", "read_predictions", "write_predictions"]
