"""Messages with descriptors between processes."""

import os
import socket
from pathlib import Path

import pytest

from runyard import handover


def test_messages_stay_apart_and_keep_their_descriptors(tmp_path: Path) -> None:
    here, there = socket.socketpair()
    files = [os.open(tmp_path / name, os.O_CREAT | os.O_RDWR) for name in ("first", "second")]

    with here, there:
        for message, fd in zip((b"one", b""), files, strict=True):
            handover.send(here, message, fds=[fd])
        received = [handover.receive(there), handover.receive(there)]

    for got, message, fd in zip(received, (b"one", b""), files, strict=True):
        assert got is not None
        assert got[0] == message
        assert [os.fstat(copy).st_ino for copy in got[1]] == [os.fstat(fd).st_ino]
        assert not any(os.get_inheritable(copy) for copy in got[1])
        for each in (fd, *got[1]):
            os.close(each)


def test_a_message_that_was_broken_off_is_none() -> None:
    here, there = socket.socketpair()
    with there:
        with here:
            here.send(b"\x00\x00\x00\x09only")
        assert handover.receive(there) is None


def test_sending_to_a_closed_end_raises() -> None:
    here, there = socket.socketpair()
    there.close()
    with here, pytest.raises(OSError, match="Broken pipe"):
        handover.send(here, b"anybody?")
