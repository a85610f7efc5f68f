"""Which journal a process of an attempt writes.

A journal has one writer, since two would number their keys alike. The writer holds a lock on it for as long as it
lives; it never waits for one. Whoever finds the lock taken, or rows of somebody else in the file (a script that a
training starts inherits its environment, a forked child its memory), writes a stream with its process id in the name.
"""

import fcntl
import os

from runyard.journal import MAIN, Attempt, JournalWriter


def stream_of_rank(rank: int) -> str:
    """The stream of a process of a distributed training; rank 0 is the run's main process."""
    return f"rank{rank}" if rank else MAIN


def side_stream(stream: str) -> str:
    """The stream of a helper process: "main" becomes "main-<pid>"."""
    return f"{stream.split('-')[0]}-{os.getpid()}"


def open_stream(attempt: Attempt, *, run: str, wanted: str) -> tuple[JournalWriter, str]:
    """Open the wanted stream, or a side stream if it has a writer already.

    Raises:
        OSError: the folder is not there, or the disk is full.
    """
    path = attempt.journal(wanted)
    is_new = not path.exists()
    writer = JournalWriter(path, run=run, attempt=attempt.number, stream=wanted)
    try:
        fcntl.flock(writer.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        is_new = False
    if is_new:
        return writer, wanted
    writer.close()
    stream = side_stream(wanted)
    while attempt.journal(stream).exists():  # process ids come again
        stream += "x"
    return JournalWriter(attempt.journal(stream), run=run, attempt=attempt.number, stream=stream), stream
