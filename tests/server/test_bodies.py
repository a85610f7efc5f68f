"""A body that comes slowly keeps nobody else waiting, and is not awaited for ever."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from starlette.types import Message, Scope

from runyard.server.bodies import Bodies
from runyard.server.permissions import API
from tests.server.team import Team


def test_clients_that_send_a_byte_now_and_then_do_not_block_others(shared_team: Team) -> None:
    head = (
        f"POST {API}/actions HTTP/1.1\r\nHost: 127.0.0.1:{shared_team.served.port}\r\nContent-Length: 100\r\n"
        f"Authorization: Bearer {shared_team.tokens['mia']}\r\nContent-Type: application/json\r\n\r\n{{"
    )
    slow = [socket.create_connection(("127.0.0.1", shared_team.served.port)) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(head.encode())
        began = time.monotonic()
        for _ in range(20):
            for connection in slow:
                connection.sendall(b" ")
            assert shared_team.ask("GET", f"{API}/projects", "mia").status_code == 200
        assert time.monotonic() - began < 10
    finally:
        for connection in slow:
            connection.close()


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    sent: list[Message] = []

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def take(message: Message) -> None:
        sent.append(message)

    async def unreached(_scope: Scope, _receive: object, _send: object) -> None:
        raise AssertionError

    scope: Scope = {"type": "http", "method": "POST", "headers": [], "state": {}}
    with ThreadPoolExecutor(1) as thread:  # here, a browser that another test drives may have an event loop
        thread.submit(asyncio.run, Bodies(unreached, patience_s=0.01)(scope, never, take)).result()

    assert sent[0]["status"] == 408
    assert b"did not arrive within 0.01 s" in sent[1]["body"]


def test_nobody_sends_a_body_without_being_let_in(shared_team: Team) -> None:
    """The refusal comes before the body, so that strangers fill no memory."""
    head = (
        f"POST {API}/actions HTTP/1.1\r\nHost: 127.0.0.1:{shared_team.served.port}\r\n"
        "X-Runyard: 1\r\nContent-Length: 1000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", shared_team.served.port)) as connection:
        connection.settimeout(30)
        connection.sendall(head.encode())

        assert connection.recv(100).startswith(b"HTTP/1.1 401")
