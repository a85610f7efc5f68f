"""What a supervisor is told: which attempt of which run, on which devices.

An order travels as JSON: in a file, on standard input, or through a socket to a supervisor that
stands by with its imports done. The locks of the slots travel with it as open file descriptors, so that
a slot never looks free between the worker that claimed it and the child that uses it.
"""

import socket
import struct

import msgspec

from runyard.errors import UsageError
from runyard.records import RunId, WorkerId

_LENGTH = struct.Struct(">I")
_MAX_FDS = 64


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
    foreground: bool = False  # output goes to the terminal as well, and Ctrl-C stops the run


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


def send_order(connection: socket.socket, order: LaunchOrder) -> None:
    """Hand an order, and its lock file descriptors, to a supervisor that stands by at the other end."""
    body = encode_order(order)
    message = _LENGTH.pack(len(body)) + body
    sent = socket.send_fds(connection, [message], list(order.lock_fds)) if order.lock_fds else 0
    if sent < len(message):  # sending nothing fails too, once the other end has read all and closed
        connection.sendall(message[sent:])


def receive_order(connection: socket.socket) -> LaunchOrder | None:
    """Wait for an order; None if the other end closes first. Its `lock_fds` are valid in this process."""
    data, fds = b"", list[int]()
    while len(data) < _LENGTH.size or len(data) < _LENGTH.size + _LENGTH.unpack_from(data)[0]:
        try:
            piece, more, _, _ = socket.recv_fds(connection, 1 << 16, _MAX_FDS)
        except ConnectionResetError:
            return None
        if not piece:
            return None
        data += piece
        fds += more
    order = decode_order(data[_LENGTH.size :])
    return msgspec.structs.replace(order, lock_fds=tuple(fds))
