"""Messages with open files, from one process of this machine to another that waits on a unix socket.

A message is its length, then its bytes; descriptors come with the first byte. Workers hand orders to
supervisors this way, and supervisors hand runs to training processes, with the locks of the slots.
"""

import os
import socket
import struct
from collections.abc import Sequence

_LENGTH = struct.Struct(">I")
_MAX_FDS = 64
_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # Linux: from the first moment no child process inherits them


def send(connection: socket.socket, message: bytes, *, fds: Sequence[int] = ()) -> None:
    """Send one message; the receiver gets descriptors of its own, so the caller may close these.

    Raises:
        OSError: the other end is closed, or did not read within the connection's timeout.
    """
    data = _LENGTH.pack(len(message)) + message
    sent = socket.send_fds(connection, [data], list(fds)) if fds else 0
    if sent < len(data):  # sending nothing fails where the reader has all it needs and has closed its end
        connection.sendall(data[sent:])


def receive(connection: socket.socket) -> tuple[bytes, tuple[int, ...]] | None:
    """Wait for one message and its descriptors, which no child process inherits; None if the other end closes first."""
    head = _receive(connection, _LENGTH.size)
    if head is None:
        return None
    body = _receive(connection, _LENGTH.unpack(head[0])[0])
    return None if body is None else (body[0], (*head[1], *body[1]))


def _receive(connection: socket.socket, size: int) -> tuple[bytes, tuple[int, ...]] | None:
    """Exactly so many bytes, so that the next message stays where it is."""
    data, fds = b"", list[int]()
    while len(data) < size:
        try:
            piece, more, _, _ = socket.recv_fds(connection, size - len(data), _MAX_FDS, _FLAGS)
        except ConnectionResetError:
            return None
        if not piece:
            return None
        data += piece
        fds += more
    for fd in fds:
        os.set_inheritable(fd, False)  # where there is no such flag
    return data, tuple(fds)
