"""What tracking has to say to the person at the terminal: each thing once, and never by an exception.

The same sentence goes into the journal, so that it is also seen by somebody who only looks at the run.
"""

import os
import sys
from collections.abc import Callable, Hashable
from types import FrameType

_PACKAGE = os.path.dirname(__file__) + os.sep


class Complaints:
    """Says each thing once. `record` gets every sentence that was said."""

    def __init__(self, record: Callable[[str], None]) -> None:
        self._record = record
        self._counts: dict[Hashable, int] = {}

    def once(self, topic: Hashable, text: str) -> None:
        """Say `text`, unless something about `topic` was said before; count it in any case."""
        seen = self._counts.get(topic, 0)
        self._counts[topic] = seen + 1
        if seen:
            return
        say(text)
        self._record(text)

    def count(self, topic: Hashable) -> int:
        """How often there was reason to complain about `topic`."""
        return self._counts.get(topic, 0)


def say(text: str) -> None:
    """One line to stderr; a closed stderr is no reason to fail."""
    try:
        print(f"runyard: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        pass  # nobody can hear it there; the journal still can


def caller() -> str:
    """`file:line` of the user's code that called into tracking."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "unknown place"
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
