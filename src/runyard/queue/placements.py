"""Moving a run within the queue: which numbers put it where a person wants it.

Positions are fractions, so that mostly one run changes and not all that follow it. A run takes over
the priority of its new neighbour, since it would not get there otherwise. Nothing is changed here:
the client writes the new places into the run folders before they become rows.
"""

from collections.abc import Sequence
from itertools import takewhile

import msgspec

from runyard.errors import NotFound
from runyard.records import RunId


class Placement(msgspec.Struct, frozen=True):
    """A place in the queue."""

    run_id: RunId
    priority: int
    position: float


def to_top(places: Sequence[Placement], run_id: RunId) -> list[Placement]:
    """The place before all others. `places` are all runs that wait, in their order; so below.

    Raises:
        NotFound: the run is not among them.
    """
    current = _find(places, run_id)
    first = places[0]
    return [] if first is current else [Placement(run_id, first.priority, first.position - 1.0)]


def to_bottom(places: Sequence[Placement], run_id: RunId) -> list[Placement]:
    """The place behind all others.

    Raises:
        NotFound: the run is not among them.
    """
    current = _find(places, run_id)
    last = places[-1]
    return [] if last is current else [Placement(run_id, last.priority, last.position + 1.0)]


def before(places: Sequence[Placement], run_id: RunId, other: RunId) -> list[Placement]:
    """The place right before `other`; where no number is left for it, also new ones for those behind.

    Raises:
        NotFound: one of them is not among the places.
    """
    _find(places, run_id)
    target = _find(places, other)
    if run_id == other:
        return []
    neighbours = [place for place in places if place.priority == target.priority and place.run_id != run_id]
    ahead = list(takewhile(lambda place: place.run_id != other, neighbours))
    if not ahead:
        return [Placement(run_id, target.priority, target.position - 1.0)]
    low, high = ahead[-1].position, target.position
    middle = (low + high) / 2
    if low < middle < high:
        return [Placement(run_id, target.priority, middle)]
    moved = [run_id, *(place.run_id for place in neighbours[len(ahead) :])]
    return [Placement(moved_id, target.priority, low + number) for number, moved_id in enumerate(moved, start=1)]


def _find(places: Sequence[Placement], run_id: RunId) -> Placement:
    for place in places:
        if place.run_id == run_id:
            return place
    raise NotFound(f"Run {run_id} does not wait in the queue. `run.py queue` shows what does.")
