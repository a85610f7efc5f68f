"""Private projects: a project is open to all accounts until an admin makes it private; then its members see it."""

from collections.abc import Callable, Iterable

from sqlalchemy import delete, select

from runyard.accounts.auditing import Audit
from runyard.accounts.users import Users
from runyard.database import Database, upsert
from runyard.database.schema import members, private_projects
from runyard.errors import ConflictError, UsageError

_LONGEST = 200


class Membership:
    """Which projects are private, and who belongs to them. Admins see all."""

    def __init__(self, database: Database, clock: Callable[[], float], audit: Audit, users: Users) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._users = users

    def by_project(self) -> dict[str, list[str]]:
        """The private projects and their members, both by name."""
        with self._database.read() as tx:
            found: dict[str, list[str]] = {name: [] for name in tx.scalars(_PROJECTS)}
            for row in tx.execute(select(members).order_by(members.c.user)):
                found.setdefault(row.project, []).append(row.user)
        return found

    def hidden_from(self, user: str) -> frozenset[str]:
        """The private projects that a user does not belong to."""
        with self._database.read() as tx:
            ours = select(members.c.project).where(members.c.user == user)
            return frozenset(tx.scalars(_PROJECTS.where(private_projects.c.project.not_in(ours))))

    def make_private(self, project: str, *, by: str) -> None:
        """Hide a project from all but its members and admins. It need not have runs yet."""
        if not 1 <= len(project) <= _LONGEST or not project.isprintable():
            raise UsageError(f"The name of a project has 1 to {_LONGEST} printable characters.")
        with self._database.transaction(durable=True) as tx:
            upsert(tx, private_projects, [{"project": project, "created_at": self._clock()}])
            self._audit.write(by, "project.private", project, connection=tx)

    def open(self, project: str, *, by: str) -> None:
        """Let all accounts see a project again; who belonged to it is forgotten."""
        with self._database.transaction(durable=True) as tx:
            if (
                not project.isprintable()
                or not tx.execute(delete(private_projects).where(private_projects.c.project == project)).rowcount
            ):
                raise ConflictError(f"The project '{project[:80]}' is not private.")
            tx.execute(delete(members).where(members.c.project == project))
            self._audit.write(by, "project.open", project, connection=tx)

    def set_members(self, project: str, names: Iterable[str], *, by: str) -> list[str]:
        """Say who belongs to a private project; return them, by name.

        Raises:
            NotFound: one of them is no user.
            ConflictError: the project is not private.
        """
        wanted = sorted(set(names))
        with self._database.transaction(durable=True) as tx:
            if tx.scalar(_PROJECTS.where(private_projects.c.project == project)) is None:
                raise ConflictError(f"The project '{project[:80]}' is not private, so all accounts see it.")
            for name in wanted:
                self._users.get(name, connection=tx)
            tx.execute(delete(members).where(members.c.project == project))
            now = self._clock()
            upsert(tx, members, [{"project": project, "user": name, "created_at": now} for name in wanted])
            self._audit.write(by, "project.members", project, detail=", ".join(wanted), connection=tx)
        return wanted


_PROJECTS = select(private_projects.c.project).order_by(private_projects.c.project)
