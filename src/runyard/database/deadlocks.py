"""What to do when two transactions wait for each other after all: PostgreSQL ends one, and that one begins again.

The order of locks (`locks.py`) lets nobody wait in a circle, as far as it knows all who write; an extension, a person
at a console or an older Runyard need not know it. SQLite has one writer, so there nothing of the kind happens.
"""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import DBAPIError

_TRIES = 5
_PAUSE_S = 0.05
_ENDED = ("40P01", "40001")  # deadlock detected, could not serialize

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def again_after_deadlock(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Call a method once more whose transaction was ended for the sake of another one.

    Within a transaction of the caller (`connection`) the caller has to do it, since all of the transaction is undone.
    """

    @wraps(method)
    def calling(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        if named.get("connection") is not None:
            return method(*arguments, **named)
        for attempt in range(1, _TRIES):
            try:
                return method(*arguments, **named)
            except DBAPIError as problem:
                if getattr(problem.orig, "sqlstate", None) not in _ENDED:
                    raise
            time.sleep(random.uniform(0, _PAUSE_S * attempt))  # so that the two do not meet again
        return method(*arguments, **named)

    return calling
