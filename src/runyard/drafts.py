"""Files that appear whole or not at all, and what is said when a disk does not do what it is asked.

Written beside the file they replace, under a name of their own process, so that two commands at once do not mix.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runyard.errors import UsageError

_REASON = re.compile(r"^\[Errno \d+\] ([^:]+)")
_ADVICE = {
    errno.ENOSPC: "Make room there, and repeat the command.",
    errno.EDQUOT: "Make room there, and repeat the command.",
    errno.EACCES: "Choose another place, or ask for the right to use this one.",
    errno.EROFS: "Choose a place that can be written.",
}


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A file to write in place of `path`, which it becomes when the block ends well, and which is gone otherwise.

    A link is followed; what is no plain file (`/dev/stdout`, a pipe) is written as it is.

    Raises:
        UsageError: `path` is a folder.
        OSError: the disk refused; it names `path`.
    """
    target = path.resolve()
    if target.is_dir():
        raise UsageError(f"{path} is a folder. Name a file in it.")
    if target.exists() and not target.is_file():
        yield path
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        yield draft
        draft.replace(target)
    except OSError as problem:
        if problem.filename in (None, draft, str(draft)) and problem.errno is not None:
            raise OSError(problem.errno, problem.strerror, str(path)) from problem
        raise
    finally:
        with suppress(OSError):  # what went wrong before says more
            draft.unlink(missing_ok=True)


def refused(problem: OSError) -> str:
    """One sentence about what the system refused, with the place and, where there is something to do, with that."""
    several = problem.args[0] if problem.args and isinstance(problem.args[0], list) else []
    if several:  # shutil copies on and tells of all files at the end; the first one is enough
        _, place, text = several[0]
        found = _REASON.match(str(text))
        reason = found.group(1) if found else str(text)
        number = next((each for each in _ADVICE if os.strerror(each) == reason), None)
    else:
        place, reason, number = problem.filename, problem.strerror or str(problem), problem.errno
    said = f"{reason}: {os.fsdecode(place)}" if isinstance(place, str | bytes | os.PathLike) else reason
    advice = _ADVICE.get(number) if number is not None else None
    return f"{said}. {advice}" if advice else said
