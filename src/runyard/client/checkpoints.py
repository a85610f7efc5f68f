"""Checkpoints in the trash: what a run could resume from, put away while the run itself stays.

They lie in `trash/checkpoints-<run>`, come back whole, and go for good when the trash is emptied.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.errors import ConflictError, NotFound, RunFinished
from runyard.records import RunState

if TYPE_CHECKING:
    from runyard.client.client import Client

_PREFIX = "checkpoints-"  # with a dash no folder of the trash is taken for a run


def put(client: "Client", run_ids: Sequence[str]) -> None:
    """Move the checkpoints of runs into the trash.

    Raises:
        RunFinished: one of the runs has not ended, so that it may need them; then none are moved.
    """
    for run_id in run_ids:
        row = client.index.get(run_id)
        if not RunState(row.state).is_ended:
            raise RunFinished(f"Run {run_id} ({row.name}) is {row.state} and may resume from its checkpoints.")
    for run_id in run_ids:
        folder, place = client.folder(run_id).checkpoints, _place(client, run_id)
        if folder.is_dir():
            shutil.rmtree(place, ignore_errors=True)  # of an earlier time: those of now are the latest
            os.rename(folder, place)


def restore(client: "Client", run_ids: Sequence[str]) -> None:
    """Bring checkpoints back.

    Raises:
        NotFound: they are not in the trash.
        ConflictError: the run has written new ones since.
    """
    for run_id in run_ids:
        place, folder = _place(client, run_id), client.folder(run_id).checkpoints
        if not place.is_dir():
            raise NotFound(f"The trash holds no checkpoints of run {run_id}.")
        if folder.is_dir() and os.listdir(folder):
            raise ConflictError(f"Run {run_id} has newer checkpoints than those in the trash.")
        if folder.is_dir():
            os.rmdir(folder)
        os.rename(place, folder)


def in_trash(client: "Client") -> dict[str, Path]:
    """The folders of checkpoints in the trash, by run."""
    names = [name for name in os.listdir(client.home.trash) if name.startswith(_PREFIX)]
    return {name.removeprefix(_PREFIX): client.home.trash / name for name in sorted(names)}


def _place(client: "Client", run_id: str) -> Path:
    return client.home.trash / f"{_PREFIX}{client.home.run(run_id).id}"
