"""Leases: which worker may execute which run, and until when.

The supervisor of an attempt keeps its worker's lease alive with heartbeats. When a lease expires the run
returns to the queue; the journal of the broken attempt is kept and the next attempt gets its own.
"""

import msgspec

from runyard.records import RunId, WorkerId

LEASE_S = 60.0
HEARTBEAT_S = LEASE_S / 4  # two beats may be lost: a laptop that dozes off keeps its run


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right of one worker to execute one attempt of a run until `expires_at` (Unix seconds)."""

    run_id: RunId
    worker_id: WorkerId
    attempt: int
    expires_at: float
    gpus: int | None = None  # what the run asked for, see records.Resources
    cpus: float | None = None

    def is_expired(self, now: float) -> bool:
        """Whether nobody has renewed it in time."""
        return self.expires_at <= now
