"""What every executor must keep, as tests to inherit from.

A subclass gives `executor`, whose supervisors run `stand_in.py` beside this file instead of the real one,
and `start`, which starts one with an order for it.
"""

import fcntl
import os
import selectors
from pathlib import Path

import pytest

from runyard.executors import Executor, Exit, Handle
from tests.executors.ordering import an_order, read_line, talk

TIMEOUT_S = 30.0


def wait_for_end(executor: Executor, handle: Handle) -> Exit:
    """Wait without sleeping until the supervisor is gone."""
    assert handle.wait_fd is not None, "these tests need Linux"
    with selectors.DefaultSelector() as selector:
        selector.register(handle.wait_fd, selectors.EVENT_READ)
        assert selector.select(TIMEOUT_S), "the supervisor did not end in time"
    found = executor.poll(handle)
    assert found is not None
    return found


class ExecutorContract:
    """Inherit and provide the fixture `executor`."""

    def test_a_supervisor_gets_its_order(self, executor: Executor, tmp_path: Path) -> None:
        with talk(tmp_path) as (ears, mouth):
            handle = executor.start(an_order(tmp_path, say="hello"))
            assert read_line(ears) == "hello"
            assert executor.poll(handle) is None
            mouth.write("exit 0\n")

            assert wait_for_end(executor, handle) == Exit(code=0)

    @pytest.mark.parametrize(("word", "end"), [("exit 3", Exit(code=3)), ("kill 9", Exit(signal=9))])
    def test_the_end_of_a_supervisor_is_told_and_stays_the_same(
        self, executor: Executor, tmp_path: Path, word: str, end: Exit
    ) -> None:
        with talk(tmp_path) as (ears, mouth):
            handle = executor.start(an_order(tmp_path))
            read_line(ears)
            mouth.write(f"{word}\n")

            assert wait_for_end(executor, handle) == end
            assert executor.poll(handle) == end
            assert end.is_clean == (end.code == 0)

    def test_a_lock_goes_with_the_order_and_is_never_free_in_between(self, executor: Executor, tmp_path: Path) -> None:
        lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with talk(tmp_path) as (ears, mouth):
            handle = executor.start(an_order(tmp_path, lock_fds=[lock]), fds=[lock])
            os.close(lock)
            assert not _is_free(tmp_path / "lock")
            read_line(ears)
            assert not _is_free(tmp_path / "lock")
            mouth.write("exit 0\n")
            wait_for_end(executor, handle)

        assert _is_free(tmp_path / "lock")

    def test_several_supervisors_run_at_once(self, executor: Executor, tmp_path: Path) -> None:
        folders = [tmp_path / name for name in ("one", "two", "three")]
        for folder in folders:
            folder.mkdir()
        with talk(folders[0]) as one, talk(folders[1]) as two, talk(folders[2]) as three:
            handles = [executor.start(an_order(folder)) for folder in folders]
            for number, (ears, mouth) in enumerate((one, two, three)):
                read_line(ears)
                mouth.write(f"exit {number}\n")
                mouth.flush()

            assert [wait_for_end(executor, handle).code for handle in handles] == [0, 1, 2]

    def test_stopping_is_gentle_at_first(self, executor: Executor, tmp_path: Path) -> None:
        with talk(tmp_path) as (ears, _):
            handle = executor.start(an_order(tmp_path, on_term="leave"))
            read_line(ears)

            executor.stop(handle, grace_s=TIMEOUT_S)

            assert executor.poll(handle) == Exit(code=7)
            executor.stop(handle, grace_s=TIMEOUT_S)

    def test_stopping_ends_by_force_what_does_not_listen(self, executor: Executor, tmp_path: Path) -> None:
        with talk(tmp_path) as (ears, _):
            handle = executor.start(an_order(tmp_path, on_term="ignore"))
            read_line(ears)

            executor.stop(handle, grace_s=0.05)

            assert executor.poll(handle) == Exit(signal=9)

    def test_a_supervisor_outlives_its_executor(self, executor: Executor, tmp_path: Path) -> None:
        with talk(tmp_path) as (ears, mouth):
            executor.start(an_order(tmp_path))
            read_line(ears)

            executor.close()

            mouth.write("say still here\n")
            mouth.flush()
            assert read_line(ears) == "still here"
            mouth.write("exit 0\n")

    def test_it_leads_a_session_of_its_own(self, executor: Executor, tmp_path: Path) -> None:
        with talk(tmp_path) as (ears, mouth):
            handle = executor.start(an_order(tmp_path))
            read_line(ears)
            assert handle.pid is not None

            assert os.getsid(handle.pid) == handle.pid

            mouth.write("exit 0\n")


def _is_free(path: Path) -> bool:
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
