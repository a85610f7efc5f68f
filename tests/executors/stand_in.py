"""A supervisor that does what it is told through a pipe; takes its order the way the real one does."""

import json
import os
import signal
import socket
import struct
import sys
from typing import Any


def receive(connection: socket.socket) -> dict[str, Any] | None:  # JSON
    data, fds, _, _ = socket.recv_fds(connection, 1 << 16, 16)
    if not data:
        return None
    (size,) = struct.unpack(">I", data[:4])
    while len(data) < 4 + size:
        data += connection.recv(1 << 16)
    return {**json.loads(data[4:]), "lock_fds": fds}


def main() -> None:
    if "--standby" in sys.argv:
        with socket.socket(fileno=int(sys.argv[-1])) as connection:
            order = receive(connection)
        if order is None:
            return
    else:
        order = json.load(sys.stdin)
    for fd in order["lock_fds"]:
        os.fstat(fd)  # raises if it did not arrive
    if order.get("on_term") == "leave":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    elif order.get("on_term") == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(str(order["mouth"]), "w", buffering=1) as mouth, open(str(order["ears"])) as ears:
        print(
            order.get("say", "ready"),
            "standby" if order.get("tell_way") and "--standby" in sys.argv else "",
            file=mouth,
        )
        for line in ears:
            word, _, rest = line.strip().partition(" ")
            if word == "say":
                print(rest, file=mouth)
            elif word == "exit":
                os._exit(int(rest))
            elif word == "kill":
                os.kill(os.getpid(), int(rest))


main()
