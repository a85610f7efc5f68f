"""Journals as another machine would write and send them."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runyard.journal import MAIN, JournalWriter
from runyard.journal.events import Ended, Started
from runyard.journal.pieces import Piece
from runyard.records import RunSpec, RunState, new_run_id


def a_spec(**fields: Any) -> RunSpec:
    """What was asked for."""
    given: dict[str, Any] = {"project": "weld", "name": "a run", "created_at": datetime.now(UTC), **fields}
    return RunSpec(id=new_run_id(), **given)


def rows(folder: Path, run_id: str, steps: Iterable[int], *, attempt: int = 1, stream: str = MAIN) -> bytes:
    """A journal that logged `loss` at these steps; called again, the journal goes on."""
    journal = _open(folder, run_id, attempt, stream)
    schema = journal.declare(("loss",))
    for step in steps:
        journal.append(schema.encode(step, time.time_ns(), (1.0 / (step + 1),)))
    journal.close()
    return Path(journal.path).read_bytes()


def host(folder: Path, run_id: str, *, attempt: int = 1, state: RunState | None = None) -> bytes:
    """The journal of a supervisor on another machine; with a state, it tells the end."""
    journal = _open(folder, run_id, attempt, "host")
    journal.event(Started(time_ns=time.time_ns(), host="ws7", user="anna", pid=1))
    if state is not None:
        journal.event(Ended(time_ns=time.time_ns(), state=state))
    journal.close()
    return Path(journal.path).read_bytes()


def a_piece(run_id: str, data: bytes, *, offset: int = 0, attempt: int = 1, stream: str = MAIN) -> Piece:
    """The bytes of a journal from `offset` on."""
    return Piece(run_id, attempt, stream, offset, data[offset:])


def _open(folder: Path, run_id: str, attempt: int, stream: str) -> JournalWriter:
    place = folder / f"{run_id}-{attempt}"
    place.mkdir(parents=True, exist_ok=True)
    return JournalWriter(place / f"{stream}.journal", run=run_id, attempt=attempt, stream=stream)
