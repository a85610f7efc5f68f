"""What all callbacks share: which run they log to, and what is best so far."""

import math
from typing import Any, Literal

from runyard.errors import UsageError
from runyard.tracking import Run, current_run

Goal = Literal["min", "max", "auto"]

_MORE_IS_BETTER = ("acc", "auc", "f1", "precision", "recall", "map", "iou", "dice", "r2", "score", "bleu", "rouge")


def the_run(run: Run | None, caller: str) -> Run:
    """The run that was given, or else the one that is open in this process.

    Raises:
        UsageError: there is neither.
    """
    found = run or current_run()
    if found is None:
        raise UsageError(f"{caller} has no run to log to. Call runyard.start_run() before, or pass run=….")
    return found


class Best:
    """Notices when a metric is better than it ever was."""

    def __init__(self, key: str, goal: Goal = "auto") -> None:
        """`goal` "auto" goes by the name: losses and errors fall, accuracies and their like rise."""
        self.key = key
        self.value: float | None = None
        self._is_rising = goal == "max" or (goal == "auto" and any(part in key.lower() for part in _MORE_IS_BETTER))

    def improves(self, value: Any) -> bool:
        """Whether this value is the best so far; it is remembered then. NaN and None never are."""
        if value is None or math.isnan(number := float(value)):
            return False
        if self.value is not None and (number <= self.value if self._is_rising else number >= self.value):
            return False
        self.value = number
        return True
