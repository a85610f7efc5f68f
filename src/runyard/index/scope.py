"""What of a home somebody may see: all of it, or some projects. What is outside is as if it were not there."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, select, true

from runyard.database.schema import runs
from runyard.errors import NotAllowed
from runyard.index.fields import Condition

_AT_ONCE = 500


@dataclass(frozen=True)
class Scope:
    """Projects by name.

    Attributes:
        only: nothing but these; None: all.
        hidden: never these.
    """

    only: frozenset[str] | None = None
    hidden: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.only is None and not self.hidden

    def allows(self, project: str) -> bool:
        """Whether a project is in it."""
        return project not in self.hidden and (self.only is None or project in self.only)

    def require(self, project: str) -> None:
        """Refuse what would go into a project that is not in it.

        Raises:
            NotAllowed: it is not.
        """
        if not self.allows(project):
            raise NotAllowed(f"The project '{project[:80]}' is not open to you. Ask an admin of the server.")

    def condition(self) -> Condition:
        """What a row of `runs` must fulfil."""
        return self.over(runs.c.project)

    def over(self, project: ColumnElement[str]) -> Condition:
        """What a row of any table with the name of a project must fulfil."""
        parts: list[Condition] = []
        if self.only is not None:
            parts.append(project.in_(sorted(self.only - self.hidden)))
        elif self.hidden:
            parts.append(project.not_in(sorted(self.hidden)))
        return and_(true(), *parts)

    def visible(self, tx: Connection, run_ids: Iterable[str]) -> list[str]:
        """Those of the ids whose runs are in it, in their order; without a look at the database if it is everything."""
        listed = list(run_ids)
        if self.is_everything:
            return listed
        found: set[str] = set()
        for begin in range(0, len(listed), _AT_ONCE):
            batch = runs.c.id.in_(listed[begin : begin + _AT_ONCE])
            found |= set(tx.scalars(select(runs.c.id).where(batch, self.condition())))
        return [run_id for run_id in listed if run_id in found]


EVERYTHING = Scope()
