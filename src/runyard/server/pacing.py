"""How long supervisors rest between two deliveries: little while there is room, more when the server is busy.

Each of them has one delivery on its way at a time, so a busy server is never run over; but what it spends on many small
deliveries it could spend on fewer larger ones. Once a second the rest is corrected towards a server that is busy for
about half of a core and lets nobody wait, whatever else it does and however many runs there are.
"""

import random
import time
from collections.abc import Callable

FIRST_S = 1.5
SHORTEST_S, LONGEST_S = 0.7, 10.0  # supervisors look no more often; what is older than some seconds is no live curve
_BUSY_SHARE = 0.5  # of one core, which is what one Python process can use
_WAITING_S = 0.4
_LOOK_S = 1.0
_STEP = 1.25  # at most so much more or less with every look: a moment of silence or noise is no trend
_SPREAD = 0.25  # who was answered together shall not come back together


class Pace:
    """The rest that is told with each acknowledgement.

    Args:
        clock: seconds, monotonic.
        processor: seconds of processor time that this process has used.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, processor: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._processor = processor
        self._rest_s = FIRST_S
        self._since, self._used_s = clock(), processor()
        self._count, self._waited_s = 0, 0.0

    @property
    def rest_s(self) -> float:
        """How long a supervisor shall rest, without the spread."""
        return self._rest_s

    def note(self, waited_s: float) -> float:
        """A delivery was taken, and waited so long for it; how long its supervisor shall rest now."""
        self._count += 1
        self._waited_s += waited_s
        elapsed_s = self._clock() - self._since
        if elapsed_s >= _LOOK_S:
            self._correct(elapsed_s)
        return self._rest_s * random.uniform(1 - _SPREAD, 1 + _SPREAD)

    def _correct(self, elapsed_s: float) -> None:
        used_s = self._processor()
        share = (used_s - self._used_s) / elapsed_s
        wanted = max(share / _BUSY_SHARE, self._waited_s / self._count / _WAITING_S)
        rest_s = self._rest_s * min(max(wanted, 1 / _STEP), _STEP)
        self._rest_s = min(max(rest_s, SHORTEST_S), LONGEST_S)
        self._since, self._used_s = self._clock(), used_s
        self._count, self._waited_s = 0, 0.0
