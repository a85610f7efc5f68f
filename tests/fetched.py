"""Where tests keep what they fetch from the network once: environments of other tools, packages of npm."""

import os
from pathlib import Path

VARIABLE = "RUNYARD_TEST_CACHE"


def folder() -> Path:
    """RUNYARD_TEST_CACHE, else a folder in the user's cache."""
    named = os.environ.get(VARIABLE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else cache / "runyard-tests"
