"""A supervisor that does what it is told through a pipe; takes its order the way the real one does."""

import json
import os
import signal
import socket
import sys
from typing import Any

from runyard import handover


def receive(connection: socket.socket) -> dict[str, Any] | None:  # JSON
    received = handover.receive(connection)
    return None if received is None else {**json.loads(received[0]), "lock_fds": received[1]}


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else ""


def main() -> None:
    if "--standby" in sys.argv:
        with socket.socket(fileno=int(option("--fd"))) as connection:
            order = receive(connection)
        if order is None:
            return
    else:
        order = json.load(sys.stdin)
    way = "" if "--standby" not in sys.argv else f"standby {option('--warm')}".strip()
    for fd in order["lock_fds"]:
        os.fstat(fd)  # raises if it did not arrive
    if order.get("on_term") == "leave":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    elif order.get("on_term") == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(str(order["mouth"]), "w", buffering=1) as mouth, open(str(order["ears"])) as ears:
        print(
            order.get("say", "ready"),
            way if order.get("tell_way") else "",
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
