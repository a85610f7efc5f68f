"""Fair shares: among runs of equal priority, whose comes next?

Whoever has the fewest slots now; among those, whoever was not given one for longest (else, on a machine with one slot,
whoever came first would keep it until his last run); among those, whoever came first. Within the runs of one user the
order stays. A user who is alone sees no difference.

Shares are counted over the whole queue, whatever somebody may see of it.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, literal, select, true

from runyard.database import upsert
from runyard.database.schema import queue, turns


def _of_waiting(function: Any) -> ColumnElement[Any]:  # min or max
    return select(function(queue.c.user)).where(queue.c.state == "waiting").scalar_subquery()


_ENDS = select(_of_waiting(func.min).label("first"), _of_waiting(func.max).label("last")).subquery()
_TURNS = select(_ENDS.c.first, _ENDS.c.last, turns.c.user, turns.c.turn).select_from(_ENDS.outerjoin(turns, true()))
_LEASED_SLOTS = (
    select(queue.c.user, queue.c.gpus, queue.c.cpus, func.count())
    .where(queue.c.state == "leased")
    .group_by(queue.c.user, queue.c.gpus, queue.c.cpus)
)


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How many slots each user has, and who was given one when; both are 0 for users who are not named.

    `slots` is empty while no more than one user waits, since nothing depends on it then (`is_shared` is false).
    """

    slots: Mapping[str, float]
    turns: Mapping[str, int]
    is_shared: bool = True

    def ranks(self) -> dict[str, int]:
        """The users by who comes next, from 1; equals have equal ranks, and whoever is not named has 0."""
        users = self.slots.keys() | self.turns.keys()
        standings = sorted({self._standing(user) for user in users} - {(0.0, 0)})
        places = {standing: place for place, standing in enumerate(standings, start=1)}
        return {user: places.get(self._standing(user), 0) for user in users}

    def _standing(self, user: str) -> tuple[float, int]:
        return self.slots.get(user, 0.0), self.turns.get(user, 0)


class Queued(Protocol):
    """A run of the queue, as far as shares depend on it."""

    @property
    def user(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def priority(self) -> int: ...

    @property
    def gpus(self) -> int | None: ...

    @property
    def cpus(self) -> float | None: ...


AnyQueued = TypeVar("AnyQueued", bound=Queued)


def weight(gpus: int | None, cpus: float | None) -> float:
    """How many slots a run counts for: its GPUs; without any, its cores; one if it does not say."""
    if gpus is None or gpus > 0:
        return gpus or 1
    return max(1, math.ceil(cpus or 1))


def read_shares(tx: Connection) -> Shares:
    """The shares of now."""
    found = tx.execute(_TURNS).all()
    known = {row.user: row.turn for row in found if row.user is not None}
    if found[0].first == found[0].last:
        return Shares(slots={}, turns=known, is_shared=False)
    slots: dict[str, float] = {}
    for user, gpus, cpus, count in tx.execute(_LEASED_SLOTS):
        slots[user] = slots.get(user, 0.0) + count * weight(gpus, cpus)
    return Shares(slots=slots, turns=known)


def take_turn(tx: Connection, shares: Shares, user: str) -> None:
    """Note that a user was given a slot. Who had the last turn, too, needs no new one."""
    latest = max(shares.turns.values(), default=0)
    if not latest or shares.turns.get(user) != latest:
        upsert(tx, turns, [{"user": user, "turn": latest + 1}])


def rank(shares: Shares) -> ColumnElement[int] | None:
    """The rank of a row's user, as SQL; None if all have the same, so that an index has the order of the queue."""
    if not shares.is_shared:
        return None
    ranks = {user: place for user, place in shares.ranks().items() if place}
    return case(ranks, value=queue.c.user, else_=0) if ranks else literal(0)


def in_turn(rows: Sequence[AnyQueued], shares: Shares) -> list[AnyQueued]:
    """Waiting and held rows in the order in which they will start, if none of the running ones ends before.

    Args:
        rows: by priority, highest first, and by position within it.
    """
    users = {row.user for row in rows}
    if len(users) < 2:
        return list(rows)
    slots, last = dict(shares.slots), dict(shares.turns)
    turn = max(last.values(), default=0)
    ordered: list[AnyQueued] = []
    for level in _levels(rows):
        heads = [_head(user, lane, slots, last) for user, lane in level.items()]
        heapify(heads)
        while heads:
            *_, user = heappop(heads)
            _, row = level[user].popleft()
            ordered.append(row)
            if row.state != "held":  # it takes a place in the list, and no turn
                turn += 1
                last[user] = turn
                slots[user] = slots.get(user, 0.0) + weight(row.gpus, row.cpus)
            if level[user]:
                heappush(heads, _head(user, level[user], slots, last))
    return ordered


def _levels(rows: Iterable[AnyQueued]) -> Iterable[dict[str, "deque[tuple[int, AnyQueued]]"]]:
    """The rows of each priority by user, each with its place among all."""
    levels: dict[int, dict[str, deque[tuple[int, AnyQueued]]]] = {}
    for place, row in enumerate(rows):
        levels.setdefault(row.priority, {}).setdefault(row.user, deque()).append((place, row))
    return levels.values()


def _head(
    user: str, lane: "deque[tuple[int, AnyQueued]]", slots: Mapping[str, float], last: Mapping[str, int]
) -> tuple[float, int, int, str]:
    """What decides whether the first row of a user's lane comes next."""
    return slots.get(user, 0.0), last.get(user, 0), lane[0][0], user
