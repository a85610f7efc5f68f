"""Where the dashboard of a home is to be found while one is running: a file with its address, locked as long as it
is. So nobody needs to ask a socket, and an address that a killed server left behind is none.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from runyard.journal.home import Home

_MOST_BYTES = 2_000


@contextmanager
def announced(home: Home, address: str) -> Iterator[None]:
    """Have `dashboard_address` find this address; where another dashboard of this home runs already, that one stays."""
    fd = os.open(home.dashboard, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield
            return
        os.ftruncate(fd, 0)
        os.pwrite(fd, address.rstrip("/").encode(), 0)
        yield
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def dashboard_address(home: Home) -> str | None:
    """Where the dashboard of a home runs, without a slash at the end; None if none does."""
    try:
        fd = os.open(home.dashboard, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        found = os.pread(fd, _MOST_BYTES, 0).decode(errors="replace")
        return found if found.startswith(("http://", "https://")) else None
    finally:
        os.close(fd)
    return None
