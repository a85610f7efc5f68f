"""Which run comes next on a busy slot, so that its process can import the project before its turn.

A look and no claim: whoever submits or moves runs meanwhile makes the forecast wrong, and then the next run starts
cold. Only runs with a snapshot are foretold, since their code cannot change between the import and the run.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from runyard.devices import Slot, cpu_slots, env_for
from runyard.errors import RunyardError
from runyard.project.snapshot import materialise
from runyard.queue import Capacity
from runyard.records import RunId, RunSpec
from runyard.supervisor.order import WarmUp, encode_warm_up
from runyard.worker.protocol import WorkerClient

SLOTS_VARIABLE = "RUNYARD_SLOTS"
CODE_VARIABLE = "RUNYARD_CODE"


def environment_of(spec: RunSpec, slots: Sequence[Slot], *, code: Path | None) -> dict[str, str]:
    """The variables of a run on these slots; `code` is the folder to import from, if not the project's own."""
    return {
        **env_for(slots, len(cpu_slots())),
        **({CODE_VARIABLE: str(code)} if code else {}),
        SLOTS_VARIABLE: ",".join(slot.name for slot in slots),
    }


class Forecast:
    """What to import ahead, slot by slot.

    Args:
        say: told, in a whole sentence, whose code is not imported ahead any more, and why.
    """

    def __init__(self, client: WorkerClient, *, say: Callable[[str], object]) -> None:
        self._client = client
        self._say = say
        self._laid_out: dict[str, Path] = {}  # snapshots that were found whole
        self._foretold: dict[str, RunSpec] = {}  # by slot
        self._refused: set[tuple[str | None, str]] = set()  # code that uses the GPU while it is imported

    def warm_ups(self, slots: Iterable[Slot], capacity_of: Callable[[Slot], Capacity]) -> dict[str, bytes]:
        """For each slot, by name, what the run that comes next there imports; slots without such a run are left out.

        Args:
            slots: those on which a run is that has no other.
            capacity_of: the worker's capacity when that slot alone is free.
        """
        nexts: dict[Capacity, RunSpec | None] = {}  # most machines have slots of one kind
        found: dict[str, bytes] = {}
        for slot in slots:
            capacity = capacity_of(slot)
            if capacity not in nexts:
                nexts[capacity] = self._next(self._client.queue.next_fitting(capacity))
            spec = nexts[capacity]
            if spec is not None:
                env = environment_of(spec, [slot], code=self._code(spec))
                found[slot.name] = encode_warm_up(WarmUp(project_dir=spec.project_dir, entry=spec.entry, env=env))
                self._foretold[slot.name] = spec
        return found

    def refuse(self, slot_name: str) -> None:
        """Import the code that was last foretold for a slot ahead no more: it uses the GPU while it is imported."""
        spec = self._foretold[slot_name]
        if _code_of(spec) not in self._refused:
            self._refused.add(_code_of(spec))
            self._say(
                f"The code of {spec.project} uses the GPU while it is imported, so it is not imported ahead any more "
                f"and each of its runs starts cold. It would start at once if it used the GPU in {spec.entry} only."
            )

    def _next(self, run_id: RunId | None) -> RunSpec | None:
        """What was asked for, if its code can be imported ahead."""
        if run_id is None:
            return None
        try:
            spec = self._client.spec(run_id)
            is_possible = spec.code.snapshot is not None and _code_of(spec) not in self._refused
            return spec if is_possible and self._code(spec) else None
        except (RunyardError, OSError):  # whoever claims it will tell
            return None

    def _code(self, spec: RunSpec) -> Path:
        snapshot = spec.code.snapshot
        assert snapshot is not None  # _next said so
        if snapshot not in self._laid_out:
            self._laid_out[snapshot] = materialise(snapshot, self._client.artifacts, self._client.home)
        return self._laid_out[snapshot]


def _code_of(spec: RunSpec) -> tuple[str | None, str]:
    return spec.code.snapshot, spec.entry
