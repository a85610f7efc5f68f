"""Reservations: for some hours the queue leaves a slot alone, because somebody wants it for other work.

They are kept in `reservations.json` of the home. A run that is on the slot goes on; nothing new is started there. Who
reserved a slot may train on it in a terminal; others wait.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from runyard.client.kept_file import KeptFile
from runyard.errors import ConflictError, NotFound, UsageError
from runyard.journal import Home

FILE = "reservations.json"
LONGEST_H = 14 * 24.0
_LONGEST_WHY = 500
_HOUR_S = 3600.0


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that somebody has for himself. Times are Unix seconds."""

    host: str
    slot: str  # the name of its lock
    label: str  # for people: "GPU 0"
    user: str
    since: float
    until: float
    why: str = ""

    def sentence(self) -> str:
        """ "GPU 0 is reserved by anna until Tue 18:00: a demo." """
        until = datetime.fromtimestamp(self.until).astimezone()
        return f"{self.label} is reserved by {self.user} until {until:%a %H:%M}{': ' + self.why if self.why else ''}."


class Reservations:
    """The reservations of one home."""

    def __init__(self, home: Home) -> None:
        self._file: KeptFile[list[Reservation]] = KeptFile(
            home.path / FILE, name="reservations", kind=list[Reservation], absent=list
        )

    def active(self, *, now: float, host: str | None = None) -> list[Reservation]:
        """Those that hold now, of all machines or of one; the first to end comes first."""
        found = [each for each in self._file.read() if each.until > now and host in (None, each.host)]
        return sorted(found, key=lambda each: (each.until, each.label))

    def reserve(
        self, *, host: str, slot: str, label: str, user: str, hours: float, now: float, why: str = ""
    ) -> Reservation:
        """Reserve a slot from now on; one's own reservation is replaced.

        Args:
            hours: more than 0, at most 336 (two weeks).

        Raises:
            UsageError: the time or the reason is too long.
            ConflictError: somebody else has reserved it.
        """
        if not 0 < hours <= LONGEST_H:
            raise UsageError(f"A slot can be reserved for up to {LONGEST_H:g} hours, not for {hours:g}.")
        if len(why) > _LONGEST_WHY:
            raise UsageError(f"The reason has {len(why):,} characters; {_LONGEST_WHY} are allowed.")
        made = Reservation(
            host=host, slot=slot, label=label, user=user, since=now, until=now + hours * _HOUR_S, why=_plain(why)
        )
        with self._file.changing() as kept:
            others = [each for each in kept if each.until > now and (each.host, each.slot) != (host, slot)]
            standing = _of_slot(kept, host, slot, now)
            if standing and standing.user != user:
                raise ConflictError(f"{standing.sentence()} It can be ended early, and then reserved.")
            kept[:] = [*others, made]
        return made

    def end(self, *, host: str, slot: str, now: float) -> Reservation:
        """End a reservation early; return what it was.

        Raises:
            NotFound: the slot is not reserved.
        """
        with self._file.changing() as kept:
            standing = _of_slot(kept, host, slot, now)
            if standing is None:
                raise NotFound(f"'{slot[:80]}' of {host[:80]} is not reserved.")
            kept[:] = [each for each in kept if each.until > now and each is not standing]
        return standing


def _plain(text: str) -> str:
    """In one line, and without what steers a terminal."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _of_slot(kept: Sequence[Reservation], host: str, slot: str, now: float) -> Reservation | None:
    return next((each for each in kept if each.until > now and (each.host, each.slot) == (host, slot)), None)
