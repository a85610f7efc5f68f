"""Rehearsals: `train` called as a run would call it, without a home, a queue or a supervisor.

This is for a project's tests. The run is a real one, in a folder that is gone afterwards, so that
checkpoints, saved models and resuming can be tested where they are written.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from runyard.errors import NotFound
from runyard.journal import MAIN, RunFolder
from runyard.records import RunSpec, encode_spec, new_run_id
from runyard.tracking import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Points(NamedTuple):
    """One metric as it was logged, in its order: steps and values, shape (n,) each."""

    steps: "NDArray[np.int64]"
    values: "NDArray[np.float64]"

    def between(self, other: "Points") -> "Points":
        """The points from the first step of another series on."""
        wanted = self.steps >= other.steps.min() if len(other.steps) else self.steps < self.steps
        return Points(self.steps[wanted], self.values[wanted])


class Killed(BaseException):  # no Exception: nothing in a training may survive it
    """Ends a training in the middle, as a power cut would."""


class _KilledRun(Run):
    """A run that is over after so many calls of `log`."""

    calls_left = 0

    def log(self, metrics: "Mapping[str, Any] | None" = None, /, *, step: Any = None, **named: Any) -> None:
        super().log(metrics, step=step, **named)
        self.calls_left -= 1
        if self.calls_left <= 0:
            raise Killed


class Rehearsal:
    """A run that nobody watches, and what its training has left behind."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._attempt = RunFolder(run.dir).attempt(run.attempt)

    def values(self, key: str) -> list[float]:
        """All values logged for a metric in this attempt, in the order of their logging."""
        from runyard.journal.reader import Rows, read_journal  # late: it needs NumPy, which a rehearsed train may not

        items, _ = read_journal(self._attempt.journal(MAIN))
        rows = [item for item in items if isinstance(item, Rows) and key in item.keys]
        return [float(value) for block in rows for value in block.values[:, block.keys.index(key)]]

    @property
    def points(self) -> dict[str, Points]:
        """All metrics logged in this attempt."""
        import numpy as np  # late, as in `values`

        from runyard.journal.reader import Rows, read_journal

        items, _ = read_journal(self._attempt.journal(MAIN))
        found: dict[str, list[tuple[Any, Any]]] = {}
        for block in (item for item in items if isinstance(item, Rows)):
            for column, key in enumerate(block.keys):
                found.setdefault(key, []).append((block.steps, block.values[:, column]))
        return {
            key: Points(np.concatenate([steps for steps, _ in parts]), np.concatenate([values for _, values in parts]))
            for key, parts in found.items()
        }

    @property
    def model(self) -> Path:
        """The folder that `run.save_model` has written.

        Raises:
            NotFound: no model was saved, or more than one.
        """
        found = sorted(self._attempt.files.rglob("manifest.json"))
        if len(found) != 1:
            raise NotFound(f"{len(found)} models were saved in {self._attempt.files}; one is wanted.")
        return found[0].parent


@contextmanager
def rehearse(
    config: BaseModel,
    *,
    data: str | Path | None = None,
    folder: str | Path | None = None,
    log_calls: int | None = None,
) -> Iterator[Rehearsal]:
    """Give a run to call `train(config, rehearsal.run)` with.

    Args:
        data: what `--data` would say.
        folder: an empty folder to keep the run in. A second rehearsal there is its next attempt, which finds the
            checkpoints of the first. Without it the run is gone when the block ends.
        log_calls: the training is killed in this call of `run.log`; the exception passes through here.
    """
    if folder is None:
        with (
            tempfile.TemporaryDirectory(prefix="runyard-") as scratch,
            rehearse(config, data=data, folder=scratch, log_calls=log_calls) as rehearsal,
        ):
            yield rehearsal
        return
    run_folder = RunFolder(Path(folder).absolute())
    number = len(run_folder.attempts()) + 1
    run_folder.attempt(number).path.mkdir(parents=True)
    if not run_folder.spec.exists():
        run_folder.spec.write_bytes(encode_spec(_spec(config, data)))
    if log_calls is None:
        with Run.attach(run_folder.path, number, config=config) as run:
            yield Rehearsal(run)
        return
    killed = _KilledRun.attach(run_folder.path, number, config=config)
    killed.calls_left = log_calls
    with killed:
        yield Rehearsal(killed)


def _spec(config: BaseModel, data: str | Path | None) -> RunSpec:
    return RunSpec(
        id=new_run_id(),
        project="rehearsal",
        name="rehearsal",
        created_at=datetime.now(UTC),
        kind="external",
        config=config.model_dump(mode="json"),
        data=None if data is None else str(data),
    )
