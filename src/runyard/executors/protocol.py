"""What every executor promises. An executor decides where a supervisor starts and knows nothing else of us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Handle:
    """A supervisor that was started. `wait_fd` becomes readable when it ends, where the system can tell that."""

    id: str
    pid: int | None = None
    wait_fd: int | None = None


@dataclass(frozen=True)
class Exit:
    """How a supervisor ended: by an exit code or by a signal. It says nothing of how the run ended."""

    code: int | None = None
    signal: int | None = None

    @property
    def is_clean(self) -> bool:
        """Whether it did all it had to."""
        return self.code == 0


class Executor(Protocol):
    """Starts supervisors.

    Promises:
        - One thread calls it; it needs no other.
        - A supervisor belongs to itself: it outlives the executor, its process, and the terminal.
        - What `start` accepted was started exactly once; what it raised for was not started at all.
        - The file descriptors of an order stay open in the supervisor; the caller may close its own
          as soon as `start` has returned. Locks in them are never free in between.
    """

    def start(self, order: bytes, *, fds: Sequence[int] = (), place: str = "") -> Handle:
        """Hand over an order (JSON, see runyard.supervisor.order); returns as soon as it is accepted.

        Args:
            place: what was prepared for this place may be used; else what was prepared for none in particular.

        Raises:
            OSError: nothing could be started.
        """
        ...

    def poll(self, handle: Handle) -> Exit | None:
        """How the supervisor ended; None while it runs. The answer stays the same after that."""
        ...

    def stop(self, handle: Handle, *, grace_s: float) -> None:
        """End the supervisor, by force after `grace_s`; returns when it is gone. Safe to call twice."""
        ...

    def prepare(self, warm_ups: Mapping[str, bytes]) -> dict[str, Exit]:
        """Get ready so that the next `start` is quick. Safe to call at any time, and never needed.

        Args:
            warm_ups: the places for which something is to be ready, and only these, with what to import there (JSON,
                see runyard.supervisor.order; nothing: no project). The place "" is any.

        Returns:
            How that which was ready for a place has ended by itself, told once; it is replaced at the next call.

        Raises:
            OSError: nothing could be started.
        """
        ...

    def close(self) -> None:
        """Give up what `prepare` made. Supervisors that were started go on."""
        ...
