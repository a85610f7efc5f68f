"""Orders for the stand-in supervisor, and the two pipes through which a test talks with it."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))


def an_order(folder: Path, **more: Any) -> bytes:  # what stand_in.py understands
    """An order for a stand-in that talks through the pipes in `folder`."""
    return json.dumps({"ears": str(folder / "in"), "mouth": str(folder / "out"), "lock_fds": [], **more}).encode()


@contextmanager
def talk(folder: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    """What the stand-in says, and what it is told."""
    for name in ("in", "out"):
        os.mkfifo(folder / name)
    # opened for both ways, so that neither open waits for the other end
    out, into = (os.open(folder / name, os.O_RDWR) for name in ("out", "in"))
    with open(out) as said, open(into, "w", buffering=1) as told:
        yield said, told


def read_line(pipe: IO[str]) -> str:
    """The next thing that the stand-in says."""
    return pipe.readline().strip()
