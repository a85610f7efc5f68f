"""Reservations that a server keeps: slots of all machines, for all who work there."""

from typing import TypeVar

from runyard.client.remote.transport import Transport
from runyard.client.reservations import Reservation, Reservations

T = TypeVar("T")


class RemoteReservations(Reservations):
    """Answers as `Reservations` does. The time is the server's, and so is the name of who asks."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def active(self, *, now: float, host: str | None = None) -> list[Reservation]:
        return self._call("active", list[Reservation], host=host)

    def reserve(
        self, *, host: str, slot: str, label: str, user: str, hours: float, now: float, why: str = ""
    ) -> Reservation:
        return self._call("reserve", Reservation, host=host, slot=slot, label=label, hours=hours, why=why)

    def end(self, *, host: str, slot: str, now: float) -> Reservation:
        return self._call("end", Reservation, host=host, slot=slot)

    def _call(self, method: str, kind: "type[T]", **arguments: object) -> T:
        return self._transport.tell(f"/calls/reservations.{method}", arguments, kind)
