import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runyard.devices import Holder, SlotLock, lock_directory
from runyard.errors import DeviceUnavailable, UsageError

ANNA = Holder(pid=4711, user="anna", what="lr=0.1", run_id="abc", since=1.0)

HOLD = """
import sys
import tempfile
from runyard.devices import Holder, SlotLock
lock = SlotLock(sys.argv[1])
assert lock.try_acquire(Holder(pid=1, user="bob"))
print("held", flush=True)
sys.stdin.read()
"""

COUNT_WINNERS = """
import sys
import tempfile
from runyard.devices import Holder, SlotLock
lock = SlotLock("gpu")
sys.stdin.readline()
print("won" if lock.try_acquire() else "lost", flush=True)
sys.stdin.read()
"""


@contextmanager
def a_process(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_held_lock_is_refused_and_names_its_holder() -> None:
    first, second = SlotLock("gpu"), SlotLock("gpu")

    assert first.try_acquire(ANNA)

    assert not second.try_acquire()
    assert second.holder() == ANNA
    assert first.holder() == ANNA
    assert "anna (lr=0.1, run abc, process 4711)" in ANNA.sentence()


def test_a_released_lock_is_free_for_the_next_one() -> None:
    first, second = SlotLock("gpu"), SlotLock("gpu")
    first.try_acquire(ANNA)

    first.release()

    assert second.holder() is None
    assert second.try_acquire()


def test_locks_of_different_slots_do_not_meet() -> None:
    assert SlotLock("cpu-0").try_acquire()
    assert SlotLock("cpu-1").try_acquire()


def test_another_process_holds_the_lock_until_it_is_killed() -> None:
    lock = SlotLock("gpu")
    with a_process(HOLD, "gpu") as process:
        assert line_of(process) == "held"
        assert not lock.try_acquire()
        holder = lock.holder()
        assert holder is not None
        assert holder.user == "bob"

        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)

        assert lock.holder() is None
        assert lock.try_acquire()


def test_an_inherited_copy_keeps_the_lock_when_the_first_holder_lets_go() -> None:
    lock = SlotLock("gpu")
    lock.try_acquire(ANNA)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock.fd]) as child:
        lock.release()

        assert not lock.try_acquire()

        assert child.stdin is not None
        child.stdin.close()
        child.wait(timeout=10)
    assert lock.try_acquire()


def test_a_copy_sent_over_a_socket_keeps_the_lock() -> None:
    sender, receiver = socket.socketpair()
    lock = SlotLock("gpu")
    lock.try_acquire(ANNA)
    with sender, receiver:
        socket.send_fds(sender, [b"x"], [lock.fd])
        lock.release()
        assert not SlotLock("gpu").try_acquire()

        _, (fd,), _, _ = socket.recv_fds(receiver, 1, 1)
    adopted = SlotLock.adopt("gpu", fd)

    assert adopted.is_held
    assert not SlotLock("gpu").try_acquire()
    adopted.release()
    assert SlotLock("gpu").try_acquire()


def test_of_many_processes_at_once_exactly_one_wins() -> None:
    with (
        a_process(COUNT_WINNERS) as a,
        a_process(COUNT_WINNERS) as b,
        a_process(COUNT_WINNERS) as c,
        a_process(COUNT_WINNERS) as d,
    ):
        processes = (a, b, c, d)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()

        assert sorted(line_of(process) for process in processes) == ["lost", "lost", "lost", "won"]


def test_looking_at_a_free_lock_never_keeps_anybody_from_taking_it() -> None:
    onlooker = os.open(_created("gpu"), os.O_RDONLY)
    try:
        import fcntl

        for _ in range(20):
            lock = SlotLock("gpu")
            fcntl.flock(onlooker, fcntl.LOCK_SH)
            assert not lock.try_acquire()  # as long as somebody really looks all the time
            fcntl.flock(onlooker, fcntl.LOCK_UN)
            assert lock.try_acquire()
            lock.release()
    finally:
        os.close(onlooker)


def test_files_are_open_to_all_users_whatever_the_umask(locks: Path) -> None:
    before = os.umask(0o077)
    try:
        SlotLock("gpu").try_acquire(ANNA)
    finally:
        os.umask(before)

    assert stat.S_IMODE(locks.stat().st_mode) == 0o1777
    assert stat.S_IMODE((locks / "gpu.lock").stat().st_mode) == 0o666
    assert [file.name for file in locks.iterdir()] == ["gpu.lock"]


def test_a_symbolic_link_in_place_of_the_lock_file_is_refused(locks: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lock_directory()
    (locks / "gpu.lock").symlink_to(victim)

    with pytest.raises(DeviceUnavailable, match="symbolic link"):
        SlotLock("gpu").try_acquire(ANNA)
    with pytest.raises(DeviceUnavailable, match="symbolic link"):
        SlotLock("gpu").holder()

    assert victim.read_text() == "precious"


def test_a_pipe_in_place_of_the_lock_file_is_refused_without_waiting_for_a_writer(locks: Path) -> None:
    os.mkdir(locks)
    os.mkfifo(locks / "gpu.lock")

    with pytest.raises(DeviceUnavailable, match="no plain file"):
        SlotLock("gpu").holder()
    with pytest.raises(DeviceUnavailable, match="no plain file"):
        SlotLock("gpu").try_acquire(ANNA)


def test_a_link_in_place_of_the_folder_is_refused(locks: Path, tmp_path: Path) -> None:
    locks.symlink_to(tmp_path)

    with pytest.raises(DeviceUnavailable, match="RUNYARD_LOCK_DIR"):
        SlotLock("gpu")


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_folder_in_which_others_could_replace_locks_is_refused(locks: Path, mode: int) -> None:
    locks.mkdir()
    locks.chmod(mode)

    with pytest.raises(UsageError, match=rf"has mode {mode:o}.*`chmod \+t {locks}`"):
        lock_directory()

    locks.chmod(mode | stat.S_ISVTX)
    assert lock_directory() == locks


def test_a_lock_file_that_was_swept_away_does_not_make_two_holders(locks: Path) -> None:
    first = SlotLock("gpu")
    assert first.try_acquire(ANNA)
    first.release()
    (locks / "gpu.lock").unlink()

    assert first.try_acquire(ANNA)
    assert not SlotLock("gpu").try_acquire()


def test_a_name_never_becomes_a_path() -> None:
    for name in ("", "../gpu", "a/b", ".hidden"):
        with pytest.raises(ValueError, match="lock file"):
            SlotLock(name)


def test_an_unsigned_lock_is_held_by_somebody() -> None:
    SlotLock("free").holder()
    lock = SlotLock("gpu")
    lock.try_acquire()

    holder = SlotLock("gpu").holder()

    assert holder is not None
    assert holder.user == "somebody"


def _created(name: str) -> Path:
    lock = SlotLock(name)
    lock.try_acquire()
    lock.release()
    return lock.path


AS_ANOTHER_USER = """
import os
import shutil
from runyard.devices import Holder, SlotLock
lock = SlotLock("gpu")
os.setgroups([]), os.setgid(65534), os.setuid(65534)
print(lock.try_acquire(Holder(pid=os.getpid(), user="nobody")), flush=True)
holder = SlotLock("gpu").holder()
print(holder.user if holder else "free", flush=True)
print(SlotLock("cpu-0").try_acquire(), flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_users_keep_each_other_off_a_slot_and_share_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tempfile.mkdtemp(prefix="runyard-test-")  # pytest's own folders are closed to other users
    try:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("RUNYARD_LOCK_DIR", f"{folder}/locks")
        lock = SlotLock("gpu")
        lock.try_acquire(ANNA)
        with a_process(AS_ANOTHER_USER) as other:
            assert [line_of(other) for _ in range(3)] == ["False", "anna", "True"]
        lock.release()
        with a_process(AS_ANOTHER_USER) as other:
            assert [line_of(other) for _ in range(2)] == ["True", "nobody"]
        assert SlotLock("cpu-0").try_acquire(ANNA), "the file belongs to another user and is ours to lock all the same"
    finally:
        shutil.rmtree(folder)
