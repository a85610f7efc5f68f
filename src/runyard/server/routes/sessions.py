"""Logging in and out, and the links by which passwords are chosen."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from runyard.accounts import Caller, Role
from runyard.accounts.users import User
from runyard.errors import UsageError
from runyard.hosts import user_name
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, HasAccounts, MaybeCaller
from runyard.server.logins import Apart, address_of, with_cookie, without_cookie
from runyard.server.routes.tokens import Wish, new_token_document

router = APIRouter(tags=["accounts"])

_Name = Annotated[str, Field(max_length=200)]
_Password = Annotated[str, Field(max_length=10_000)]
_Key = Annotated[str, Field(max_length=200)]


async def _apart(request: Request) -> Apart:
    apart: Apart = request.app.state.apart
    return apart


_Apart = Annotated[Apart, Depends(_apart)]


class Login(Body):
    name: _Name
    password: _Password


class TokenLogin(Wish):
    """Name and password, and what the token shall be."""

    name: _Name
    password: _Password


class NewPassword(Body):
    old: _Password
    new: _Password


class LinkKey(Body):
    link: _Key


class Following(Body):
    """`name` is for the link of the first admin only."""

    link: _Key
    password: _Password
    name: _Name | None = None


@router.get("/session", response_model=models.Session)
def session(request: Request, caller: MaybeCaller) -> Response:
    """Who asks. Without accounts that is whoever started the server."""
    return answer(_document(has_accounts=request.app.state.accounts is not None, caller=caller))


@router.post("/session", response_model=models.Session)
async def login(request: Request, accounts: HasAccounts, apart: _Apart, asked: Login) -> Response:
    """Log in with name and password: the answer sets a cookie. 429 after too many attempts, with `Retry-After`."""
    address = address_of(request)
    user, key = await apart.do(lambda: accounts.login(asked.name, asked.password, address=address))
    return with_cookie(answer(_of_user(user)), request, key)


@router.delete("/session", response_model=models.Session)
def logout(request: Request, accounts: HasAccounts, caller: MaybeCaller) -> Response:
    """Log out: the session ends here, too. A token is revoked with DELETE /tokens/{id}."""
    if caller is not None and caller.session:
        accounts.logout(caller)
    return without_cookie(answer(_document(has_accounts=True, caller=None)), request)


@router.post("/session/token", response_model=models.NewToken)
async def token(request: Request, accounts: HasAccounts, apart: _Apart, asked: TokenLogin) -> Response:
    """A token for name and password, as `runyard login` asks for it; no session begins."""
    address = address_of(request)
    user = await apart.do(lambda: accounts.authenticate(asked.name, asked.password, address=address))
    return answer(await apart.do(lambda: new_token_document(accounts, user.name, asked, by=user.name)))


@router.post("/session/password", response_model=models.Session)
async def password(
    request: Request, accounts: HasAccounts, apart: _Apart, caller: MaybeCaller, asked: NewPassword
) -> Response:
    """Choose another password. All sessions of the account end but the one that begins with this answer."""
    name = _logged_in(caller).name
    address = address_of(request)
    key = await apart.do(lambda: accounts.change_password(name, asked.old, asked.new, address=address))
    return with_cookie(answer(_of_user(accounts.users.get(name))), request, key)


@router.post("/links/look", response_model=models.Link)
def look(request: Request, accounts: HasAccounts, asked: LinkKey) -> Response:
    """What a link is for. It stays good."""
    found = accounts.look_at_link(asked.link, address=address_of(request))
    return answer({"kind": found.kind, "user": found.user})


@router.post("/links/follow", response_model=models.Session)
async def follow(request: Request, accounts: HasAccounts, apart: _Apart, asked: Following) -> Response:
    """Choose a password by a link, once; the answer sets a cookie."""
    address = address_of(request)
    user, key = await apart.do(
        lambda: accounts.follow_link(asked.link, asked.password, name=asked.name, address=address)
    )
    return with_cookie(answer(_of_user(user)), request, key)


def _logged_in(caller: Caller | None) -> Caller:
    if caller is None or not caller.session:
        raise UsageError("Passwords are changed by those who logged in with theirs, not by a token.")
    return caller


def _of_user(user: User) -> dict[str, Any]:
    return _document(has_accounts=True, caller=Caller(name=user.name, role=user.role))


def _document(*, has_accounts: bool, caller: Caller | None) -> dict[str, Any]:
    if not has_accounts:
        caller = Caller(name=user_name(), role=Role.ADMIN)
    return {
        "has_accounts": has_accounts,
        "user": caller.name if caller else None,
        "role": str(caller.role) if caller else None,
        "token_id": (caller.token_id or None) if caller else None,
        "projects": sorted(caller.only) if caller and caller.only is not None else None,
    }
