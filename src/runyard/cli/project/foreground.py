"""One run here and now: wait for a slot, supervise in this process, say how it ended."""

import os
import time
from collections.abc import Mapping, Sequence

from runyard.cli import screen
from runyard.client import Client
from runyard.devices import Holder, Slot, Taken, acquire_any, candidates, cpu_slots, env_for
from runyard.hosts import host_name, user_name
from runyard.index import RunRow
from runyard.project.child import run_inline as run_in_this_process
from runyard.project.launch import show_duration
from runyard.records import RunSpec, RunState
from runyard.supervisor import LaunchOrder, supervise

_METRICS = 6  # of the training, in the last lines
_LOOK_S = 0.5  # between two looks at slots that are taken


def take_slots(client: Client, slots: Sequence[Slot], *, n_gpus: int | None, what: str) -> list[Taken]:
    """Wait for as many slots as the run needs, saying for whom. What others have reserved is left alone."""
    fitting, count = candidates(slots, n_gpus)
    holder = Holder(pid=os.getpid(), user=user_name(), what=what, since=time.time())

    def closed(slot: Slot) -> str:
        held = client.reservations.active(now=time.time(), host=host_name())
        return next((each.sentence() for each in held if each.slot == slot.name and each.user != holder.user), "")

    return acquire_any(
        fitting, holder, wait=lambda: time.sleep(_LOOK_S), on_wait=_say_waiting, closed=closed, count=count
    )


def run(
    client: Client,
    spec: RunSpec,
    taken: Sequence[Taken],
    *,
    data: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    python: str = "",
) -> RunState:
    """Submit a run and see it through in this process; return how it ended.

    `data` are the paths of this machine that take the place of those that were asked for; `variables` come on top of
    those of the slots; `python` is another interpreter than this one, for the training.
    """
    client.submit([spec])
    names = tuple(each.slot.name for each in taken)
    where = " + ".join(each.slot.label for each in taken)
    screen.remark(f"run {spec.id} ({screen.plain(spec.name)}) on {where}")
    order = LaunchOrder(
        run_id=spec.id,
        home=str(client.home.path),
        attempt=1,
        devices=names,
        device_names=tuple(each.slot.device_name or each.slot.label for each in taken),
        env={
            **env_for([each.slot for each in taken], len(cpu_slots())),
            "RUNYARD_SLOTS": ",".join(names),
            **(variables or {}),
        },
        python=python,
        lock_fds=tuple(each.lock.fd for each in taken),
        data=dict(data or {}),
        foreground=True,
    )
    try:
        supervise(order)
    finally:
        for each in taken:
            each.lock.release()
    return _say_end(client, spec)


def run_inline(client: Client, spec: RunSpec, *, data: dict[str, str]) -> RunState:
    """Run the training in this process, where a debugger reaches it; nothing watches it."""
    client.submit([spec])
    screen.remark(f"run {spec.id} ({screen.plain(spec.name)}) in this process")
    try:
        run_in_this_process(client.folder(spec.id).path, 1, data=data)
    finally:
        client.index.catch_up(spec.id)
    return _say_end(client, spec)


def _say_waiting(reasons: list[str]) -> None:
    screen.remark("waiting for a free slot: " + " ".join(screen.plain(reason) for reason in reasons))


def _say_end(client: Client, spec: RunSpec) -> RunState:
    row = client.index.get(spec.id)
    took = f" in {show_duration(row.duration_s)}" if row.duration_s is not None else ""
    reason = f": {screen.plain(row.reason)}" if row.reason else ""
    screen.remark(f"{row.state}{took}{reason}")
    own = [key for key in row.summary if not key.startswith("sys/")]
    if own:
        screen.remark("  ".join(_metric(row, key) for key in own[:_METRICS]))
    screen.remark(f"runyard show {spec.id}")
    return RunState(row.state)


def _metric(row: RunRow, key: str) -> str:
    return f"{screen.plain(key)} {row.summary[key].last:.4g}"
