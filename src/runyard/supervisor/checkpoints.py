"""Checkpoints of a run of a server: brought there while it runs, fetched from there before it goes on.

Both take long, and neither may cost the training anything: they are done in small steps between all else.
"""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from runyard.errors import LeaseLost, ServerAway

FETCH_WAIT_S = 600.0  # for a server that is away: what a run has learned so far is worth ten minutes
_RETRY_S = 2.0


class CheckpointClient(Protocol):
    """What is needed of a client here."""

    def bring_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        """Bring the checkpoints of now to where other machines find them, step by step."""
        ...

    def fetch_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        """Lay out what another machine left, step by step, if that is newer than what is here."""
        ...


class CheckpointRounds:
    """Brings the checkpoints of one attempt, one state after the other.

    Args:
        warn: is told once about each kind of trouble.
    """

    def __init__(
        self, connect: Callable[[], CheckpointClient], *, run_id: str, attempt: int, warn: Callable[[str], None]
    ) -> None:
        self._connect = connect
        self._run_id = run_id
        self._attempt = attempt
        self._warn = warn
        self._steps: Iterator[None] | None = None
        self._told: set[str] = set()

    def step(self) -> bool:
        """Do a little; whether there is more to do before the server has the state that was begun with."""
        try:
            if self._steps is None:
                self._steps = self._connect().bring_checkpoints(self._run_id, self._attempt)
            next(self._steps)
        except StopIteration:
            self._steps = None
            return False
        except Exception as error:  # networks, disks, files that vanish: none may end a run
            self._steps = None
            if type(error).__name__ not in self._told:
                self._told.add(type(error).__name__)
                self._warn(f"Checkpoints were not brought to the server. {type(error).__name__}: {error}")
            return False
        return True


def fetch(
    client: CheckpointClient,
    *,
    run_id: str,
    attempt: int,
    beat: Callable[[], None],
    is_wanted: Callable[[], bool],
    warn: Callable[[str], None],
    heartbeat_s: float,
) -> None:
    """Fetch what an earlier attempt left elsewhere; whatever goes wrong for long means to begin anew.

    Args:
        beat: keeps the lease; called every `heartbeat_s`.
        is_wanted: false as soon as the attempt shall not begin any more.

    Raises:
        LeaseLost: somebody else has the run.
    """
    began = beaten = time.monotonic()
    while is_wanted():
        try:
            for _ in client.fetch_checkpoints(run_id, attempt):
                if time.monotonic() > beaten + heartbeat_s:
                    beat()
                    beaten = time.monotonic()
                if not is_wanted():
                    return
            return
        except LeaseLost:
            raise
        except ServerAway as error:
            if time.monotonic() > began + FETCH_WAIT_S:
                warn(f"Checkpoints could not be fetched, so the run begins anew: {error}")
                return
            time.sleep(_RETRY_S)
        except Exception as error:  # a damaged file, a full disk: a run that begins anew is better than none
            warn(f"Checkpoints could not be fetched, so the run begins anew. {type(error).__name__}: {error}")
            return
