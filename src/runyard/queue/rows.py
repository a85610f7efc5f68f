"""What the queue tells: its rows, the workers, the numbers; and what it must be told to be rebuilt."""

from typing import Protocol

import msgspec

from runyard.queue.reports import MachineReport
from runyard.records import RunId, WorkerId

WAITING = "waiting"
HELD = "held"
LEASED = "leased"


class QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the queue. `state` is "waiting", "held" or "leased"."""

    run_id: RunId
    project: str
    grid: str | None
    user: str
    state: str
    priority: int
    position: float
    gpus: int | None
    gpu_memory_bytes: int | None
    cpus: float | None
    memory_bytes: int | None
    held_reason: str | None
    worker_id: WorkerId | None
    attempt: int  # the latest one; 0 before the first
    lease_expires_at: float | None
    claimed_at: float | None
    queued_at: float
    estimated_s: float | None
    refused: tuple[str, ...] = ()  # the machines that cannot execute it as things are there, each with its sentence


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that works, or did so lately."""

    worker_id: WorkerId
    host: str
    user: str
    pid: int
    home: str
    slots: tuple[str, ...]
    seen_at: float
    report: MachineReport | None = None  # how its machine does, as of then


class Counts(msgspec.Struct, frozen=True):
    """How many runs are in the queue; `paused` of the waiting ones belong to a paused project."""

    waiting: int = 0
    held: int = 0
    leased: int = 0
    paused: int = 0


class Standing(Protocol):
    """What the index says of a run, as far as the queue is rebuilt from it."""

    @property
    def state(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def attempt(self) -> int: ...

    @property
    def priority(self) -> int: ...

    @property
    def position(self) -> float | None: ...  # None: nobody has moved it
