"""The audit trail: who changed what, and when. Secrets are never in it, and nothing is ever taken out of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select

from runyard.database import Database
from runyard.database.schema import audit

_LONGEST = 2000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of it: `who` did `what` to `subject`."""

    id: int
    at: datetime
    who: str
    what: str
    subject: str
    detail: str


class Audit:
    """Writes and reads the trail."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def write(
        self, who: str, what: str, subject: str = "", *, detail: str = "", connection: Connection | None = None
    ) -> None:
        """Add a line, in the caller's transaction if there is one, so that both are there or none."""
        row = {
            "at": self._clock(),
            "who": who[:_LONGEST],
            "what": what[:_LONGEST],
            "subject": _shortened(subject),
            "detail": _shortened(detail),
        }
        if connection is not None:
            connection.execute(insert(audit), row)
            return
        with self._database.transaction() as tx:
            tx.execute(insert(audit), row)

    def read(self, *, offset: int = 0, limit: int = 100) -> list[Entry]:
        """A page of it, the newest first."""
        found = select(audit).order_by(audit.c.id.desc()).offset(offset).limit(limit)
        with self._database.read() as tx:
            return [
                Entry(
                    id=row.id,
                    at=datetime.fromtimestamp(row.at, UTC),
                    who=row.who,
                    what=row.what,
                    subject=row.subject,
                    detail=row.detail,
                )
                for row in tx.execute(found)
            ]

    def count(self) -> int:
        """How many lines there are."""
        with self._database.read() as tx:
            return tx.execute(select(func.count()).select_from(audit)).scalar_one()


def _shortened(text: str) -> str:
    text = text.encode("utf-8", "replace").decode().replace("\0", "�")  # PostgreSQL has no NUL in texts
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
