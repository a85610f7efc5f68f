"""A run that this worker has started, with the slots that its supervisor holds."""

import os
import select
from dataclasses import dataclass

from runyard.devices import Slot
from runyard.executors import Handle
from runyard.queue import Lease
from runyard.records import RunSpec


@dataclass
class Running:
    """A started run.

    Args:
        slots: whose locks its supervisor holds; empty once that has let go of them.
        freed_fd: at its end as soon as nobody has those locks; -1 once that was seen.
    """

    lease: Lease
    spec: RunSpec
    slots: tuple[Slot, ...]
    handle: Handle
    freed_fd: int
    was_asked_to_stop: bool = False

    def has_freed_slots(self) -> bool:
        """Whether nobody holds them any more."""
        return bool(select.select([self.freed_fd], [], [], 0)[0])

    def forget_slots(self) -> None:
        """The slots are no longer this run's."""
        if self.freed_fd >= 0:
            os.close(self.freed_fd)
        self.freed_fd, self.slots = -1, ()
