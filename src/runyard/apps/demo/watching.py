"""Watching a Python process for attempts to reach another machine.

    python -m runyard.apps.demo.watching LOG MODULE ARGUMENT…

runs a module as `python -m` would, and appends to LOG each address beyond this machine that it names. An audit hook
cannot be removed, and it is called before anything is sent, so a swallowed error does not hide the attempt. What a
library does in C without Python's sockets it does not see; `strace` does, where it is installed.
"""

import ipaddress
import os
import re
import runpy
import sys
from collections.abc import Iterable, Iterator
from typing import Any

_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
_OF_THE_NET = re.compile(r"sa_family=AF_INET6?\b")
_HARMLESS = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')
_PLACE = re.compile(r'inet_addr\("([^"]+)"|inet_pton\(AF_INET6, "([^"]+)"')
_PORT = re.compile(r"port=htons\((\d+)\)")


def watch(log: str) -> None:
    """Write attempts of this process down from now on."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            place = _place(event, arguments)
            if place:
                fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(fd, f"{place}\n".encode("utf-8", "replace"))
                finally:
                    os.close(fd)

    sys.addaudithook(hook)


def attempts_in_trace(lines: Iterable[str]) -> Iterator[str]:
    """The addresses beyond this machine in the output of strace."""
    for line in lines:
        if _OF_THE_NET.search(line) and not _HARMLESS.search(line):
            place, port = _PLACE.search(line), _PORT.search(line)
            yield f"{(place[1] or place[2]) if place else 'unknown'}:{port[1] if port else '?'}"


def _place(event: str, arguments: tuple[Any, ...]) -> str:
    """Who was asked for; empty for this machine, and for sockets that are files."""
    if event.startswith("socket.get"):
        host = arguments[0]  # an address needs no look-up; connecting to it will be told
        return "" if host is None or is_here(host) or _is_address(host) else f"{_text(host)} (name)"
    address = arguments[1]
    if not isinstance(address, tuple) or len(address) < 2:
        return ""
    return "" if is_here(address[0]) else f"{_text(address[0])}:{address[1]}"


def is_here(host: Any) -> bool:  # a text or bytes
    """Whether a host is this machine."""
    name = _text(host)
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in ("", "localhost")
    return address.is_loopback or address.is_unspecified


def _is_address(host: Any) -> bool:
    try:
        ipaddress.ip_address(_text(host))
    except ValueError:
        return False
    return True


def _text(host: Any) -> str:
    return host.decode("utf-8", "replace") if isinstance(host, bytes) else str(host)


if __name__ == "__main__":
    watch(sys.argv[1])
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
