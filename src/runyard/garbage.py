"""Python's garbage collector, kept out of the way while a program starts and when it ends.

An import makes a hundred thousand objects that stay, and each time some hundred more are there, the collector looks
through the young ones for what could go. At the end the interpreter takes them apart one by one. Together that is a
third of the time of a short command, for nothing.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 100_000  # about what the imports of the largest command make
_USUAL = gc.get_threshold()[0]


def collect_rarely() -> None:
    """Look for garbage seldom, from now on: a program begins to import what it needs."""
    gc.set_threshold(_MANY, *gc.get_threshold()[1:])


def collect_as_usual() -> None:
    """Undo `collect_rarely`: code of a project follows, which may hold a GPU's memory in a cycle of objects."""
    if gc.get_threshold()[0] == _MANY:  # else the project has a wish of its own
        gc.set_threshold(_USUAL, *gc.get_threshold()[1:])


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look for garbage seldom within the block; what it has made by then is never looked at again."""
    collect_rarely()
    try:
        yield
        gc.freeze()
    finally:
        collect_as_usual()


def leave_all() -> None:
    """Never look again at what there is by now: it stays to the end, and is then left to the system."""
    gc.freeze()
