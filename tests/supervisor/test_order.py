"""Orders on their way to a supervisor."""

import os
import socket
from pathlib import Path

import pytest

from runyard import handover
from runyard.errors import UsageError
from runyard.records import RunId, WorkerId
from runyard.supervisor.order import LaunchOrder, decode_order, encode_order, receive_order

ORDER = LaunchOrder(
    run_id=RunId("abc"), home="/home", attempt=2, devices=("GPU-1",), env={"A": "b"}, worker_id=WorkerId("w")
)


def test_an_order_survives_json() -> None:
    assert decode_order(encode_order(ORDER)) == ORDER


def test_what_is_no_order_is_refused_with_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"no launch order: .*run_id"):
        decode_order(b"{}")


def test_locks_travel_with_the_order(tmp_path: Path) -> None:
    here, there = socket.socketpair()
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    order = LaunchOrder(run_id=RunId("abc"), home="/home", attempt=1, lock_fds=(lock,))

    with here, there:
        handover.send(here, encode_order(order), fds=order.lock_fds)
        received = receive_order(there)

    assert received is not None
    (fd,) = received.lock_fds
    assert fd != lock
    assert os.fstat(fd).st_ino == os.fstat(lock).st_ino
    os.close(fd)
    os.close(lock)


def test_an_order_larger_than_a_packet_arrives_whole() -> None:
    here, there = socket.socketpair()
    order = LaunchOrder(run_id=RunId("abc"), home="/home", attempt=1, env={"LONG": "x" * 150_000})

    with here, there:
        here.setblocking(True)
        handover.send(here, encode_order(order), fds=order.lock_fds)
        assert receive_order(there) == order


def test_no_order_comes_when_the_other_end_closes() -> None:
    here, there = socket.socketpair()
    here.close()

    with there:
        assert receive_order(there) is None
