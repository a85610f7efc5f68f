"""Failed logins, counted in the database, so that several servers count together."""

import ipaddress
import math
from collections.abc import Callable, Mapping

from sqlalchemy import delete, func, select, update

from runyard.database import Database, upsert
from runyard.database.schema import attempts
from runyard.errors import TooManyAttempts

WINDOW_S = 15 * 60.0
BY_NAME = 10  # in the window
BY_ADDRESS = 50  # an office has one address


class Attempts:
    """Counts attempts; whoever comes too often has to wait until the window has passed."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def charge(self, *, name: str | None, address: str) -> None:
        """Count an attempt before it is looked at, so that many at once count, too.

        Raises:
            TooManyAttempts: there were too many of this name or from this address.
        """
        limits = {} if name is None else {f"name:{name}": BY_NAME}
        self._charge(limits | {f"address:{network(address)}": BY_ADDRESS})

    def forgive(self, name: str) -> None:
        """The name's password was right: what was mistyped before does not count."""
        with self._database.transaction() as tx:
            tx.execute(delete(attempts).where(attempts.c.key == f"name:{name}"))

    def _charge(self, limits: Mapping[str, int]) -> None:
        now = self._clock()
        with self._database.transaction() as tx:
            if tx.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(attempts.name))))
            tx.execute(delete(attempts).where(attempts.c.begun_at <= now - WINDOW_S))
            for key, limit in limits.items():
                ours = attempts.c.key == key
                more = update(attempts).where(ours, attempts.c.failures < limit)
                if tx.execute(more.values(failures=attempts.c.failures + 1)).rowcount:
                    continue
                begun_at = tx.scalar(select(attempts.c.begun_at).where(ours))
                if begun_at is None:
                    upsert(tx, attempts, [{"key": key, "failures": 1, "begun_at": now}])
                    continue
                wait_s = max(1, math.ceil(begun_at + WINDOW_S - now))
                raise TooManyAttempts(
                    f"Too many attempts to log in. Try again in {math.ceil(wait_s / 60)} minutes.",
                    retry_after_s=wait_s,
                )


def network(address: str) -> str:
    """What of an address belongs to one place: an IPv4 address, the first half of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)
