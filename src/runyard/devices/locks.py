"""Machine-wide locks: one slot, one holder, whoever the users are.

A lock is a `flock` on a file in a folder that all users of the machine share. The kernel gives it
back when the last process that has the file open is gone, so nothing stays locked after a crash.
Processes that inherit the file descriptor keep the lock together: a worker hands it to a supervisor
and closes its own copy. The file's content is for messages only ("GPU 0 is taken by anna: …").
"""

import errno
import fcntl
import os
import stat
import tempfile
from pathlib import Path

import msgspec

from runyard.errors import DeviceUnavailable, UsageError

LOCK_DIR_VARIABLE = "RUNYARD_LOCK_DIR"
DEFAULT_LOCK_DIR = "/tmp/runyard-locks"

_TRIES = 100  # how often an onlooker's short shared lock, or a file that was just removed, is met with another try
_CONTENT_BYTES = 4096
_WHAT_CHARACTERS = 300  # six bytes each at worst, so that a holder always fits into what is read


class Holder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who holds a slot: for people, no proof of anything."""

    pid: int
    user: str
    what: str = ""  # "lr=0.1 of weld-seam"
    run_id: str = ""
    since: float = 0.0  # unix seconds

    def sentence(self) -> str:
        """ "anna (lr=0.1 of weld-seam, process 4711)" """
        details = [part for part in (self.what, f"run {self.run_id}" if self.run_id else "") if part]
        return f"{self.user} ({', '.join([*details, f'process {self.pid}'])})"


def lock_directory() -> Path:
    """The folder of the lock files, created for all users if it is not there.

    Raises:
        DeviceUnavailable: it is a link or no folder, so locks in it would protect nothing.
        UsageError: users who share it could replace each other's locks.
    """
    path = Path(os.environ.get(LOCK_DIR_VARIABLE) or DEFAULT_LOCK_DIR)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        _create_directory(path)
        mode = os.lstat(path).st_mode
    if not stat.S_ISDIR(mode):
        raise DeviceUnavailable(
            f"The folder for device locks, {path}, is a link or a file. "
            f"Remove it, or name another folder in {LOCK_DIR_VARIABLE}; all users of this machine must name the same."
        )
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise UsageError(
            f"The folder for device locks, {path}, has mode {stat.S_IMODE(mode):o}: whoever may write there could "
            f"replace a lock, and two runs would share a device. `chmod +t {path}` prevents that."
        )
    return path


class SlotLock:
    """The lock of one slot: free, or held by this object (and by whoever got a copy of its descriptor)."""

    def __init__(self, name: str, *, directory: Path | None = None) -> None:
        if not name or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in name) or name.startswith("."):
            raise ValueError(f"'{name}' cannot be the name of a lock file")
        self.name = name
        self.path = (directory or lock_directory()) / f"{name}.lock"
        self._fd = -1

    @classmethod
    def adopt(cls, name: str, fd: int, *, directory: Path | None = None) -> "SlotLock":
        """Take over a descriptor that was inherited or received; it holds the lock already."""
        lock = cls(name, directory=directory)
        lock._fd = fd
        return lock

    @property
    def fd(self) -> int:
        """The descriptor to pass on; -1 while this object does not hold the lock."""
        return self._fd

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd >= 0

    def try_acquire(self, holder: Holder | None = None) -> bool:
        """Take the lock if it is free and write down who did; never waits.

        Raises:
            DeviceUnavailable: the lock file cannot be opened.
        """
        if self.is_held:
            return True
        for _ in range(_TRIES):
            fd = self._open()
            if not _try_lock(fd):
                os.close(fd)
                return False
            if _is_same_file(fd, self.path):  # else a tidy-up of /tmp removed it between our open and our lock
                self._fd = fd
                if holder is not None:
                    self.describe(holder)
                return True
            os.close(fd)
        return False

    def describe(self, holder: Holder) -> None:
        """Write down who holds the lock, for the messages of those who wait."""
        content = msgspec.json.encode(msgspec.structs.replace(holder, what=holder.what[:_WHAT_CHARACTERS]))
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, content, 0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # a full disk takes the words, not the lock
                raise

    def holder(self) -> Holder | None:
        """Who holds the lock now, or None if it is free."""
        try:
            fd = _open_file(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _cannot_open(self.path, error) from None
        try:
            if not self.is_held and _flock(fd, fcntl.LOCK_SH):
                return None
            content = os.pread(fd, _CONTENT_BYTES, 0)
        finally:
            os.close(fd)
        try:
            return msgspec.json.decode(content, type=Holder)
        except msgspec.DecodeError:
            return Holder(pid=0, user="somebody")  # it has the lock but has not signed yet

    def release(self) -> None:
        """Close this object's descriptor. Copies elsewhere keep the lock, so it is not unlocked by force."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        for _ in range(_TRIES):
            try:
                # without O_CREAT: the kernel refuses that for other users' files in a sticky folder (protected_regular)
                return _open_file(self.path, os.O_RDWR)
            except FileNotFoundError:
                _create_file(self.path)
            except OSError as error:
                raise _cannot_open(self.path, error) from None
        raise DeviceUnavailable(f"The lock file {self.path} vanishes as soon as it is created.")


def _open_file(path: Path, mode: int) -> int:
    """Open a plain file and nothing else: whoever may write into the folder could have put a pipe or a link there."""
    fd = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would make us wait for its writer
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return fd


def _try_lock(fd: int) -> bool:
    for _ in range(_TRIES):
        if _flock(fd, fcntl.LOCK_EX):
            return True
        if not _flock(fd, fcntl.LOCK_SH):
            return False
        # only an onlooker was in the way: `holder` takes a shared lock for a moment
        fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _flock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_file(fd: int, path: Path) -> bool:
    ours = os.fstat(fd)
    try:
        theirs = os.lstat(path)
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)


def _create_file(path: Path) -> None:
    """Create the lock file for all users; it appears with its final mode, whatever the umask says."""
    try:
        fd, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
    except OSError as error:
        raise _cannot_open(path, error) from None
    try:
        os.fchmod(fd, 0o666)
        os.link(draft, path)  # the first one wins
    except FileExistsError:
        pass
    finally:
        os.close(fd)
        os.unlink(draft)


def _create_directory(path: Path) -> None:
    """Create the folder with mode 1777 in one step: other users must never meet it half done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise _cannot_open(path, error) from None
    os.chmod(draft, 0o1777)
    try:
        os.rename(draft, path)
    except OSError:  # somebody else was faster
        os.rmdir(draft)


def _cannot_open(path: Path, error: OSError) -> DeviceUnavailable:
    reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
    return DeviceUnavailable(
        f"The device lock {path} cannot be opened: {reason}. "
        f"Without it two runs could share a device; repair it, or name another folder in {LOCK_DIR_VARIABLE}."
    )
