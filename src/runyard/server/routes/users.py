"""Managing accounts: users, private projects, and the audit trail. For admins."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from runyard.accounts import Caller, Role
from runyard.accounts.users import User
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, HasAccounts, Limit, MaybeCaller, Offset

router = APIRouter(tags=["accounts"])

_Name = Annotated[str, Path(max_length=200)]
_Project = Annotated[str, Path(min_length=1, max_length=200)]
_Role = Literal["viewer", "member", "admin"]


class NewUser(Body):
    name: Annotated[str, Field(max_length=200)]
    role: _Role = "member"


class UserChange(Body):
    """What is absent stays as it is."""

    role: _Role | None = None
    is_disabled: bool | None = None


class Members(Body):
    members: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=10_000)]


@router.get("/users", response_model=models.Users)
def users(accounts: HasAccounts) -> Response:
    """All accounts, by name."""
    return answer({"users": [_document(user) for user in accounts.users.list()]})


@router.post("/users", response_model=models.Invited)
def invite(accounts: HasAccounts, caller: MaybeCaller, asked: NewUser) -> Response:
    """Make an account, and a link by which its owner chooses a password; it is good for seven days, once."""
    user, key = accounts.invite(asked.name, Role(asked.role), by=_by(caller))
    return answer(_document(user) | {"link": key})


@router.patch("/users/{name}", response_model=models.User)
def change(accounts: HasAccounts, caller: MaybeCaller, name: _Name, changed: UserChange) -> Response:
    """Change a role, shut somebody out, let somebody in again. The last admin stays one."""
    user = accounts.users.get(name)
    if changed.role is not None:
        user = accounts.users.set_role(name, Role(changed.role), by=_by(caller))
    if changed.is_disabled is not None:
        change = accounts.users.disable if changed.is_disabled else accounts.users.enable
        user = change(name, by=_by(caller))
    return answer(_document(user))


@router.post("/users/{name}/link", response_model=models.NewLink)
def link(accounts: HasAccounts, caller: MaybeCaller, name: _Name) -> Response:
    """A link by which somebody chooses a new password, or their first one. An older one ends."""
    return answer({"user": name, "link": accounts.reset(name, by=_by(caller))})


@router.get("/private", response_model=models.PrivateProjects)
def private(accounts: HasAccounts) -> Response:
    """The private projects, which only their members and admins see. All others are open to all accounts."""
    found = accounts.projects.by_project()
    return answer({"projects": [{"project": name, "members": members} for name, members in found.items()]})


@router.put("/private/{project:path}", response_model=models.PrivateProject)
def set_members(accounts: HasAccounts, caller: MaybeCaller, project: _Project, asked: Members) -> Response:
    """Make a project private, with these members. It need not have runs yet."""
    for name in asked.members:
        accounts.users.get(name)
    accounts.projects.make_private(project, by=_by(caller))
    return answer(
        {"project": project, "members": accounts.projects.set_members(project, asked.members, by=_by(caller))}
    )


@router.delete("/private/{project:path}", response_model=models.PrivateProject)
def open_again(accounts: HasAccounts, caller: MaybeCaller, project: _Project) -> Response:
    """Open a private project to all accounts again."""
    accounts.projects.open(project, by=_by(caller))
    return answer({"project": project, "members": []})


@router.get("/audit", response_model=models.AuditTrail)
def audit(accounts: HasAccounts, offset: Offset = 0, limit: Limit = 100) -> Response:
    """Who changed what, the newest first. Changes of runs are in the journals of the runs, too."""
    entries = accounts.audit.read(offset=offset, limit=limit)
    return answer({"total": accounts.audit.count(), "entries": entries})


def _by(caller: Caller | None) -> str:
    return caller.name if caller else ""


def _document(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in models.User.model_fields}
