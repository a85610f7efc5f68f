"""What the pages stand on: the runs that are shown, the words, and what the project set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.apps.evaluation import Costs, Doubts, GroupBy, Order
from runyard.apps.facts import Subject
from runyard.apps.show.sources import Source
from runyard.apps.words import Words
from runyard.tracking.predictions import Predictions

CHOSEN = "runyard-line"  # in the session: survives a change of page, which the state of a widget does not


@dataclass(frozen=True, kw_only=True)
class Inference:
    """The three functions of the project's src/inference.py."""

    load: Callable[[Path, str], Any]
    predict: Callable[[Any, list[Any]], Sequence[Any]]
    read: Callable[[Path], Sequence[tuple[str, Any]]] | None = None


@dataclass(kw_only=True)
class Settings:
    """What the project set for its pages."""

    title: str = ""
    customer: str = ""
    samples: Path | None = None
    costs: Costs = field(default_factory=Costs)
    positive: str | None = None
    share: float | None = None
    order: Order = "worst"
    group_by: GroupBy | None = "label"
    relabel: bool = True


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one page needs."""

    words: Words
    settings: Settings
    subject: Subject
    second: Subject | None
    doubts: Doubts
    source: Source
    inference: Inference | None
    is_without_doubtful: bool = False

    def seen(self, subject: Subject) -> Predictions | None:
        """A run's answers, without the samples whose label is in doubt if that is wished."""
        if subject.predictions is None or not self.is_without_doubtful:
            return subject.predictions
        return subject.predictions.without(self.doubts.all())
