"""When a run, a grid and the whole queue will be done.

The queue is played forward: every slot takes the next run in the order as soon as it is free. How
long a run takes is the median of what like runs took, which the caller passes in. Where nothing is
known nothing is guessed: the answer is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runyard.records import RunId


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A run that executes or waits, as far as its end depends on it.

    `elapsed_s` is None while it waits. `remaining_s` is what its own progress says, where it says so.
    """

    run_id: RunId
    grid: str | None = None
    project: str = ""
    slots: int = 1
    elapsed_s: float | None = None
    remaining_s: float | None = None
    estimated_s: float | None = None


@dataclass(frozen=True)
class Eta:
    """Seconds from now until the end; None where it is not known."""

    runs: dict[RunId, float | None] = field(default_factory=dict)
    grids: dict[str, float | None] = field(default_factory=dict)
    queue_s: float | None = None


def eta(
    rows: Sequence[Waiting], *, n_slots: int, medians: Mapping[str, float], reserved_s: Sequence[float] = ()
) -> Eta:
    """Estimate when each run, each grid and the queue end.

    Args:
        rows: executing runs and waiting ones, in the order of the queue.
        n_slots: how many slots there are in all.
        medians: seconds that like runs took, by grid and by project; the grid counts first.
        reserved_s: for how many seconds a slot takes no new run, one entry for each such slot.
    """
    runs: dict[RunId, float | None] = {}
    free_at: list[float | None] = [0.0] * max(1, n_slots)
    is_reserved = False
    for row in sorted(rows, key=lambda row: row.elapsed_s is None):  # executing ones first; else the order stays
        if row.elapsed_s is None and not is_reserved:  # what runs on a reserved slot goes on; nothing new starts there
            is_reserved = True
            free_at = _reserved(free_at, reserved_s)
        left = _left_s(row, medians)
        begin, taken = _earliest(free_at, row.slots)
        end = None if left is None or begin is None else begin + left
        runs[row.run_id] = end
        for slot in taken:
            free_at[slot] = end
    grids: dict[str, float | None] = {}
    for grid in dict.fromkeys(row.grid for row in rows if row.grid):
        grids[grid] = _latest([runs[row.run_id] for row in rows if row.grid == grid])
    return Eta(runs, grids, _latest(list(runs.values())))


def _reserved(free_at: Sequence[float | None], reserved_s: Sequence[float]) -> list[float | None]:
    """The slots that are free soonest are taken for the reserved ones: which is which nobody tells here."""
    soonest = sorted(free_at, key=lambda at: (at is None, at or 0.0))
    for number, until in enumerate(sorted(reserved_s, reverse=True)[: len(soonest)]):
        at = soonest[number]
        soonest[number] = None if at is None else max(at, until)
    return soonest


def _left_s(row: Waiting, medians: Mapping[str, float]) -> float | None:
    if row.remaining_s is not None:
        return max(0.0, row.remaining_s)
    whole = row.estimated_s
    if whole is None:
        whole = medians.get(row.grid or "", medians.get(row.project))
    if whole is None:
        return None
    return max(0.0, whole - (row.elapsed_s or 0.0))  # a run that takes longer than its like may end at any moment


def _earliest(free_at: Sequence[float | None], count: int) -> tuple[float | None, list[int]]:
    """When `count` slots are free together, and which; slots whose end nobody knows come last."""
    order = sorted(range(len(free_at)), key=lambda slot: (free_at[slot] is None, free_at[slot] or 0.0))
    taken = order[: max(1, min(count, len(order)))]
    return _latest([free_at[slot] for slot in taken]), taken


def _latest(ends: Sequence[float | None]) -> float | None:
    known = [end for end in ends if end is not None]
    return max(known, default=0.0) if len(known) == len(ends) else None
