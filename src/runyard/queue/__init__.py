"""Submit, claim, lease, priorities: which run comes next, and who may execute it."""

from runyard.queue.capacity import Capacity, Demand, demand_of
from runyard.queue.estimates import Eta, Waiting, eta
from runyard.queue.leases import HEARTBEAT_S, LEASE_S, Lease
from runyard.queue.placements import Placement
from runyard.queue.queue import Queue
from runyard.queue.rows import Counts, QueueRow, Standing, WorkerRow

__all__ = [
    "HEARTBEAT_S",
    "LEASE_S",
    "Capacity",
    "Counts",
    "Demand",
    "Eta",
    "Lease",
    "Placement",
    "Queue",
    "QueueRow",
    "Standing",
    "Waiting",
    "WorkerRow",
    "demand_of",
    "eta",
]
