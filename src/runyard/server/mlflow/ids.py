"""Ids: a run has Runyard's own; an experiment a number in its project, a logged model what MLflow gives it."""

import hashlib
import os
import re
from collections.abc import Iterable

DEFAULT = "0"  # the experiment of runs that belong to none
DEFAULT_NAME = "Default"

_FIRST_FOREIGN = 10**12  # numbers of experiments that clients did not make begin here
_SPAN = 9 * 10**14
_MODEL = re.compile(r"m-[0-9a-f]{32}")


def of_experiment(project: str, name: str | None) -> str:
    """The number of an experiment that Runyard's own runs have, always the same."""
    if name is None:
        return DEFAULT
    digest = hashlib.sha256(f"{project}\0{name}".encode(errors="replace")).digest()
    return str(_FIRST_FOREIGN + int.from_bytes(digest[:8], "big") % _SPAN)


def next_experiment(known: Iterable[str]) -> str:
    """The number of the next experiment that a client makes."""
    return str(max((int(each) for each in known if int(each) < _FIRST_FOREIGN), default=0) + 1)


def new_model() -> str:
    """The id of a new logged model."""
    return f"m-{os.urandom(16).hex()}"


def is_model(text: str) -> bool:
    """Whether a text has the form of a logged model's id."""
    return _MODEL.fullmatch(text) is not None
