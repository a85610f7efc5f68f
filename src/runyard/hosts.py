"""Who runs this, on which start of which machine, and where it listens."""

import getpass
import os
import socket

from runyard.errors import UsageError

_BACKLOG = 512
_LAST_PORT = 65535


def user_name() -> str:
    """The name of whoever runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return str(os.getuid())


def host_name() -> str:
    """The name of this machine."""
    return os.uname().nodename


def boot_id() -> str:
    """Changes with every start of this machine; empty where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket at an address of this machine; port 0 is any free one.

    Raises:
        UsageError: the address is none of this machine, or the port is none or taken.
    """
    if not 0 <= port <= _LAST_PORT:  # or the system would take what is left of it after 65536
        raise UsageError(f"{port} is no port. Choose one from 1 to {_LAST_PORT}, or 0 for any free one.")
    try:
        # asyncio sends without delay (40 ms an answer) only where the protocol is named, as it is here
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as problem:
        raise UsageError(f"'{host}' is no address to listen at: {problem}.") from None
    family, kind, protocol, _, place = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or the port stays taken a minute after an end
    try:
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError as problem:
        listener.close()
        why = problem.strerror
        raise UsageError(f"Port {port} of {host} cannot be listened at: {why}. Choose another with --port.") from None
    return listener
