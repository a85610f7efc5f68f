"""Listening at an address of this machine."""

import socket

import pytest

from runyard.errors import UsageError
from runyard.hosts import listen


def test_any_free_port_is_found_and_answers_are_not_delayed() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
        assert listener.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on


def test_an_address_that_is_taken_or_none_is_told() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, pytest.raises(UsageError, match="cannot be listened at: Address already in use"):
        listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UsageError, match="no address to listen at"):
        listen("300.0.0.1", 0)
    with pytest.raises(UsageError, match="cannot be listened at"):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_number_that_is_no_port_never_becomes_another_one(port: int) -> None:
    with pytest.raises(UsageError, match=f"{port} is no port"):
        listen("127.0.0.1", port)
