"""What MLflow's clients keep that belongs to no run: experiments with their tags, logged models, what was measured of
them. One journal a project, so that it survives whatever happens to the database, and a backup is a copy.

Several servers may share a home: whoever changes the ledger locks it and reads what is new first.
"""

import fcntl
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runyard.errors import JournalDamaged
from runyard.journal import Home, append_event
from runyard.journal.events import Kept
from runyard.journal.reader import Decoder, EventAt, repair

_STREAM = "mlflow"
_MOST_OPEN = 64


class Ledger:
    """Values by key; a key has at most one, the latest. Threads may share it.

    What it gives out must not be changed: whoever changes a value puts another one in its place.
    """

    def __init__(self, path: Path, project: str) -> None:
        self._path = path
        self._project = project
        self._lock = threading.RLock()
        self._values: dict[str, dict[str, Any]] = {}  # by kind, then by the rest of the key
        self._decoder = Decoder()
        self._size = 0

    def of_kind(self, kind: str) -> dict[str, Any]:
        """The values whose keys begin with `kind/`, by the rest of their keys, in the order they came."""
        with self._lock:
            self._read()
            return dict(self._values.get(kind, {}))

    def get(self, kind: str, name: str) -> Any:
        """A value; None if there is none."""
        with self._lock:
            self._read()
            return self._values.get(kind, {}).get(name)

    def put(self, kind: str, name: str, value: Any, *, durable: bool = True) -> None:
        """Keep a value; None removes it.

        Raises:
            OSError: the disk did not take it.
        """
        event = Kept(time_ns=time.time_ns(), key=f"{kind}/{name}", value=value)
        with self._lock:
            append_event(self._path, event, run=self._project, stream=_STREAM, durable=durable)
            self._read()

    @contextmanager
    def changing(self) -> Iterator["Ledger"]:
        """Nobody else changes it while the block reads and puts."""
        with self._lock, self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._mend()
            yield self

    def _read(self) -> None:
        """Take in what is new; costs a look at the size when nothing is."""
        try:
            size = os.stat(self._path).st_size
        except FileNotFoundError:
            size = 0
        if size == self._size:
            return
        if size < self._size:  # somebody brought an older one back
            self._values, self._decoder = {}, Decoder()
        if size:
            with self._path.open("rb") as file:
                file.seek(self._decoder.offset)
                for item in self._decoder.feed(file.read()):
                    if isinstance(item, EventAt) and isinstance(item.event, Kept):
                        self._take(item.event)
        self._size = size

    def _take(self, event: Kept) -> None:
        kind, _, name = event.key.partition("/")
        if event.value is None:
            self._values.get(kind, {}).pop(name, None)
        else:
            self._values.setdefault(kind, {})[name] = event.value

    def _mend(self) -> None:
        """Cut off what a crash left half: nothing behind it could be read."""
        self._read()
        if self._size > self._decoder.offset:
            try:
                repair(self._path)
            except JournalDamaged:
                os.rename(self._path, self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}"))
            self._values, self._decoder, self._size = {}, Decoder(), 0


class Ledgers:
    """The ledgers of a home, opened when they are first asked for."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Ledger] = OrderedDict()

    def of(self, project: str) -> Ledger:
        """The ledger of a project."""
        with self._lock:
            ledger = self._open.get(project)
            if ledger is None:
                ledger = self._open[project] = Ledger(self._home.ledger(project), project)
                if len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=False)
            self._open.move_to_end(project)
            return ledger
