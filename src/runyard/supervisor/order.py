"""What a supervisor is told: which attempt of which run, on which devices.

An order travels as JSON: in a file, on standard input, or through a socket to a supervisor that
stands by with its imports done. The locks of the slots travel with it as open file descriptors, so that
a slot never looks free between the worker that claimed it and the child that uses it.
"""

import socket

import msgspec

from runyard import handover
from runyard.errors import UsageError
from runyard.records import RunId, RunSpec, WorkerId


class LaunchOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to be started and watched."""

    run_id: RunId
    home: str
    attempt: int
    devices: tuple[str, ...] = ()  # UUIDs of GPUs, or names of CPU slots
    device_names: tuple[str, ...] = ()
    env: dict[str, str] = {}  # on top of the supervisor's own, e.g. CUDA_VISIBLE_DEVICES
    # Open locks of the slots. The child inherits them; the supervisor closes its own as soon as nothing of the run is
    # left, except in the foreground, where they belong to its caller.
    lock_fds: tuple[int, ...] = ()  # and whatever else shall be closed with them
    worker_id: WorkerId | None = None  # whose lease is to be kept alive
    python: str = ""  # the interpreter of the training process; empty: the supervisor's own
    data: dict[str, str] = {}  # config key, or --data -> the path on this machine, where that is another one
    foreground: bool = False  # output goes to the terminal as well, and Ctrl-C stops the run


class WarmUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a training process must know to import a project's code before there is a run for it."""

    project_dir: str
    entry: str
    env: dict[str, str]  # of the run's order, whole: a program may ask for its GPU while it is imported

    def fits(self, order: LaunchOrder, spec: RunSpec) -> bool:
        """Whether a process that was warmed up like this is what a cold start for this order would lead to."""
        return (self.project_dir, self.entry, self.env) == (spec.project_dir, spec.entry, order.env)


def encode_order(order: LaunchOrder) -> bytes:
    """The order as JSON."""
    return msgspec.json.encode(order)


def decode_order(data: bytes) -> LaunchOrder:
    """Read an order.

    Raises:
        UsageError: the bytes are none.
    """
    try:
        return msgspec.json.decode(data, type=LaunchOrder)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"This is no launch order: {error}.") from None


def encode_warm_up(warm_up: WarmUp) -> bytes:
    """The warm-up as JSON."""
    return msgspec.json.encode(warm_up)


def decode_warm_up(data: bytes) -> WarmUp:
    """Read a warm-up.

    Raises:
        UsageError: the bytes are none.
    """
    try:
        return msgspec.json.decode(data, type=WarmUp)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"This is no warm-up: {error}.") from None


def receive_order(connection: socket.socket) -> LaunchOrder | None:
    """Wait for an order; None if the other end closes first. Its `lock_fds` are valid in this process.

    Raises:
        UsageError: what came is no order.
    """
    received = handover.receive(connection)
    if received is None:
        return None
    data, fds = received
    return msgspec.structs.replace(decode_order(data), lock_fds=fds)
