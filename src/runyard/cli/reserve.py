"""`runyard reserve` and `run.py queue reserve`: a slot for oneself, for some hours."""

import time
from collections.abc import Sequence
from datetime import datetime

from runyard.cli import screen, tables
from runyard.client import Client, open_client
from runyard.client.reservations import Reservation
from runyard.config.durations import parse_duration_s
from runyard.devices import Slot, discover
from runyard.errors import NotFound, UsageError
from runyard.hosts import host_name, user_name

_HOUR_S = 3600.0


def reserve(*, slots: Sequence[str], duration: str | None, why: str, is_end: bool) -> None:
    """List what is reserved; or reserve slots of this machine; or end their reservations."""
    client = open_client()
    try:
        if not slots:
            if duration or is_end:
                raise UsageError("Which slot? Name a GPU, such as `runyard reserve 0 --for 4h`.")
            _show(client.reservations.active(now=time.time()))
            return
        known = discover()
        for slot in [_find(known, name) for name in slots]:
            screen.say(screen.plain(_end(client, slot) if is_end else _begin(client, slot, duration, why)))
    finally:
        client.close()


def _begin(client: Client, slot: Slot, duration: str | None, why: str) -> str:
    if duration is None:
        raise UsageError(f"For how long? Write it as --for 4h, as in `runyard reserve {slot.index} --for 4h`.")
    try:
        hours = parse_duration_s(duration) / _HOUR_S
    except ValueError as error:
        raise UsageError(f"--for: {error}.") from None
    made = client.reservations.reserve(
        host=host_name(), slot=slot.name, label=slot.label, user=user_name(), hours=hours, now=time.time(), why=why
    )
    return f"{made.sentence()} What runs there goes on; the queue starts nothing new."


def _end(client: Client, slot: Slot) -> str:
    ended = client.reservations.end(host=host_name(), slot=slot.name, now=time.time())
    return f"{ended.label} is free for the queue again."


def _find(slots: Sequence[Slot], name: str) -> Slot:
    """A slot by its number among the GPUs (else the CPU slots), its label, or the name of its lock."""
    has_gpus = any(slot.is_gpu for slot in slots)
    for slot in slots:
        is_numbered = slot.is_gpu or not has_gpus
        if name.lower() in (slot.label.lower(), slot.name.lower()) or (is_numbered and name == str(slot.index)):
            return slot
    known = ", ".join(slot.label for slot in slots if slot.is_gpu or not has_gpus)
    raise NotFound(f"'{name}' is no slot of this machine. It has {known}.")


def _show(found: Sequence[Reservation]) -> None:
    if not found:
        screen.remark("Nothing is reserved. `runyard reserve 0 --for 4h` keeps the queue off GPU 0.")
        return
    names = (("slot", True), ("machine", False), ("user", True), ("until", True), ("why", False))
    columns = [tables.Column(name, is_vital=is_vital) for name, is_vital in names]
    tables.show(columns, [[tables.Cell(text) for text in _texts(each)] for each in found])


def _texts(each: Reservation) -> tuple[str, ...]:
    until = datetime.fromtimestamp(each.until).astimezone()
    return each.label, each.host, each.user, f"{until:%a %d %b %H:%M}", each.why
