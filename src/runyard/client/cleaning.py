"""Rules by which a home is cleaned: what each would take, and then taking it.

A plan is made first and shown with its bytes; carrying it out takes what the plan names and nothing else. What goes
into the trash comes back with `restore` until the trash is emptied.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from runyard.client import checkpoints, trash
from runyard.errors import ConflictError, UsageError
from runyard.index import RunRow
from runyard.records import RunState

if TYPE_CHECKING:
    from runyard.client.client import Client

LONGEST_DAYS = 36_500.0

Goals = Callable[[str], Mapping[str, str]]  # project -> its metrics, each "min" or "max"


class Rule(StrEnum):
    """What is cleaned."""

    CHECKPOINTS = "checkpoints"  # of runs that ended long ago, are not the best of their grid, and have no tag
    FILES = "files"  # the oldest runs of a project whose stored files take more room than they shall; not as above
    FAILED = "failed"  # runs that ended long ago without completing, and have no tag
    TRASH = "trash"  # everything in the trash, for good


_CAPPED = (Rule.CHECKPOINTS, Rule.FILES)
_NOT_COMPLETED = 'state in ["FAILED", "OUT_OF_MEMORY", "TIMED_OUT", "STOPPED", "INTERRUPTED", "LOST"]'


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a rule takes, or whose checkpoints it takes."""

    id: str
    name: str
    project: str
    size_bytes: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would take now. `kept`: how many runs were spared, by reason."""

    rule: Rule
    items: tuple[Item, ...]
    kept: dict[str, int]

    @property
    def size_bytes(self) -> int:
        """The room it makes once the trash is emptied, not counting files that other runs share."""
        return sum(item.size_bytes for item in self.items)

    @property
    def id(self) -> str:
        """Changes with what the plan names."""
        named = msgspec.json.encode([str(self.rule), sorted(item.id for item in self.items)])
        return hashlib.sha256(named).hexdigest()[:16]


def plan(
    client: "Client",
    rule: Rule,
    *,
    now: datetime,
    older_than_days: float,
    project: str | None,
    goals: Goals,
    keep_bytes: float | None = None,
) -> Plan:
    """Find what a rule would take; changes nothing.

    Args:
        older_than_days: of the end of a run; the trash is taken whatever its age.
        project: only runs of it.
        goals: what decides which run of a grid is the best one. A project without any keeps all its checkpoints.
        keep_bytes: take no more than what brings each project down to this size, the oldest runs first. The rule
            for files needs it, and only it and that for checkpoints know it.

    Raises:
        UsageError: the number of days is negative or no number, or a size is missing or makes no sense.
    """
    if (keep_bytes is None and rule is Rule.FILES) or (keep_bytes is not None and rule not in _CAPPED):
        raise UsageError(f"'{rule}': {_CAPPED[0]} may and {_CAPPED[1]} must be told how much to keep, other rules not.")
    if keep_bytes is not None and not 0 <= keep_bytes < math.inf:
        raise UsageError(f"{keep_bytes:g} bytes cannot be kept: name a size from 0 on.")
    if not 0 <= older_than_days <= LONGEST_DAYS:
        raise UsageError(f"'{older_than_days:g}' days: write a number from 0 to {LONGEST_DAYS:,.0f}.")
    if rule is Rule.TRASH:
        return Plan(rule=rule, items=tuple(_trashed(client, project)), kept={})
    query = _NOT_COMPLETED if rule is Rule.FAILED else None
    rows = client.index.find(query, project=project, limit=None)
    limit = now - timedelta(days=older_than_days)
    best = _best(rows, goals) if rule in _CAPPED else frozenset()
    items: list[Item] = []
    kept: dict[str, int] = {}
    over = _Over(keep_bytes)
    for row in sorted(rows, key=lambda row: (row.ended_at or now, row.id)):  # the oldest first
        size = _size(client, row, rule)
        if size is None:
            continue
        over.add(row.project, size)
        if row.ended_at is None:
            continue
        why = _why_kept(row, limit, best, goals, rule)
        if why:
            kept[why] = kept.get(why, 0) + 1
        else:
            items.append(Item(id=row.id, name=row.name, project=row.project, size_bytes=size))
    if keep_bytes is not None:
        return Plan(rule=rule, items=tuple(item for item in items if over.takes(item)), kept=kept)
    items.sort(key=lambda item: (-item.size_bytes, item.id))
    return Plan(rule=rule, items=tuple(items), kept=kept)


def carry_out(client: "Client", planned: Plan, *, expected: str | None = None) -> int:
    """Do what was planned; return the bytes that are free again at once (0 for what went into the trash).

    Args:
        expected: the id of the plan that a person has seen.

    Raises:
        ConflictError: the world moved on since, and the plan names other runs now.
    """
    if expected is not None and expected != planned.id:
        raise ConflictError("What the rule would take has changed since it was shown. Look again, then confirm.")
    ids = [item.id for item in planned.items]
    if planned.rule is Rule.CHECKPOINTS:
        checkpoints.put(client, ids)
    elif planned.rule in (Rule.FAILED, Rule.FILES):
        trash.put(client, ids)
    else:
        return trash.empty(client).size_bytes
    return 0


class _Over:
    """By how much each project is above the size that is kept; None: by everything."""

    def __init__(self, keep_bytes: float | None) -> None:
        self._keep_bytes = keep_bytes or 0.0
        self._sizes: dict[str, int] = {}

    def add(self, project: str, size: int) -> None:
        self._sizes[project] = self._sizes.get(project, 0) + size

    def takes(self, item: Item) -> bool:
        """Whether this one has to go, too; then its project is smaller."""
        if self._sizes[item.project] <= self._keep_bytes or not item.size_bytes:
            return False
        self._sizes[item.project] -= item.size_bytes
        return True


def _size(client: "Client", row: RunRow, rule: Rule) -> int | None:
    """What a rule would take of a run, in bytes; None if there is nothing."""
    if rule is Rule.FILES:
        return sum({each.sha256: each.size_bytes for each in client.index.artifacts(row.id)}.values()) or None
    folder = client.folder(row.id)
    taken = folder.checkpoints if rule is Rule.CHECKPOINTS else folder.path
    if not taken.is_dir() or not os.listdir(taken):
        return None
    return trash.folder_size(taken)


def _trashed(client: "Client", project: str | None) -> Iterator[Item]:
    if project is not None:
        raise UsageError("The trash is emptied as a whole, not for one project.")
    rows = client.index.find(None, trashed=True, limit=None)
    for row in rows:
        size = trash.folder_size(client.folder(row.id).path)
        yield Item(id=row.id, name=row.name, project=row.project, size_bytes=size)
    left = checkpoints.in_trash(client)
    for run_id in client.index.visible(left):
        folder = left[run_id]
        yield Item(id=f"checkpoints of {run_id}", name="checkpoints", project="", size_bytes=trash.folder_size(folder))


def _why_kept(row: RunRow, limit: datetime, best: frozenset[str], goals: Goals, rule: Rule) -> str:
    if row.ended_at is None or row.ended_at > limit:
        return "too young"
    if row.tags:
        return "tagged"
    if rule in _CAPPED and not goals(row.project):
        return "of a project that names no metric in runyard.toml"
    if row.id in best:
        return "best of its grid"
    return ""


def _best(rows: Sequence[RunRow], goals: Goals) -> frozenset[str]:
    """The best completed run of each grid (else experiment, else project), for each metric of its project."""
    leading: dict[tuple[str, str, str], tuple[float, str]] = {}
    for row in rows:
        if row.state != RunState.COMPLETED:
            continue
        place = row.grid or row.experiment or ""
        for key, goal in goals(row.project).items():
            summary = row.summary.get(key)
            value = (summary.max if goal == "max" else summary.min) if summary else None
            if value is None:
                continue
            rank = (value if goal == "max" else -value, row.id)
            leading[row.project, place, key] = max(leading.get((row.project, place, key), rank), rank)
    return frozenset(run_id for _, run_id in leading.values())
