"""What a run runs in: environment, code and data, told once, when the child is on its way, since looking is slow."""

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from runyard.git import read_state
from runyard.journal import JournalWriter
from runyard.journal.events import CodeSeen, DataSeen, Environment, Warned
from runyard.records import RunSpec
from runyard.supervisor.datawatch import DataWatch
from runyard.supervisor.delivery import Delivery
from runyard.supervisor.environment import describe_environment
from runyard.supervisor.order import LaunchOrder
from runyard.supervisor.sampling import gpu_uuids


class Description:
    """Tells it to the journal of one attempt.

    Args:
        variables: the environment of the child.
        data: looks at the data, from the moment at which the description begins.
        delivery: brings what is too long for a journal into the store.
    """

    def __init__(
        self,
        order: LaunchOrder,
        spec: RunSpec,
        *,
        variables: Mapping[str, str],
        data: DataWatch,
        journal: JournalWriter,
        delivery: Delivery,
    ) -> None:
        self.environment: Environment | None = None
        self.code: CodeSeen | None = None
        self._order = order
        self._spec = spec
        self._variables = variables
        self._data: DataWatch | None = data
        self._journal = journal
        self._delivery = delivery
        self._is_begun = False

    def begin(self) -> None:
        """Tell environment and code, and begin to look at the data; does nothing the second time."""
        if self._is_begun:
            return
        self._is_begun = True
        if self._data is not None:
            self._data.start()
        gpus = gpu_uuids(self._order.devices)
        self.environment = describe_environment(
            self._variables,
            gpus=self._order.device_names if gpus else (),
            driver=_driver() if gpus else "",
            interpreter=self._order.python,
        )
        self._journal.event(self.environment)
        if self._spec.code.commit is None and self._spec.project_dir:
            self._tell_code(Path(self._spec.project_dir))

    def tell_data(self) -> None:
        """What the run's data look like, as soon as that is known."""
        if self._data is None or not self._data.is_ready:
            return
        data, self._data = self._data, None
        sources = [
            msgspec.structs.replace(
                each.source, listing=self._delivery.store_bytes(each.listing, name="the list of the data")
            )
            if each.listing
            else each.source
            for each in data.found
        ]
        if sources:
            self._journal.event(DataSeen(time_ns=time.time_ns(), sources=tuple(sources)))
        for sentence in data.warnings:
            self._warn(sentence)

    def wait_for_data(self, at_most_s: float) -> None:
        """The run has ended: let the look at the data come to its end, too, or say that it did not."""
        if self._data is None:
            return
        self._data.wait(at_most_s)
        if not self._data.is_ready:
            self._warn(f"What data the run saw is not recorded: looking took {at_most_s:g} s longer than the run.")

    def _tell_code(self, folder: Path) -> None:
        state = read_state(folder)
        if state is None or state.commit is None:
            return
        self.code = CodeSeen(
            time_ns=time.time_ns(),
            commit=state.commit,
            branch=state.branch or "",
            is_dirty=state.is_dirty,
            diff=self._delivery.store_bytes(state.diff, name="the diff") if state.diff else "",
        )
        self._journal.event(self.code)

    def _warn(self, text: str) -> None:
        self._journal.event(Warned(time_ns=time.time_ns(), text=text))


def _driver() -> str:
    from runyard.devices.nvml import driver_version  # late: only for runs that have a GPU

    return driver_version()
