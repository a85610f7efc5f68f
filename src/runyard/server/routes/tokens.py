"""Tokens of machines: one's own, and for admins those of all."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from runyard.accounts import Accounts, Caller, Role
from runyard.accounts.tokens import Token
from runyard.errors import NotAllowed, NotFound
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, HasAccounts, MaybeCaller

router = APIRouter(tags=["accounts"])

DAY_S = 86_400.0
_Project = Annotated[str, Field(min_length=1, max_length=200)]


class Wish(Body):
    """What a token shall be: by default it may what its owner may, in all projects, for ever."""

    label: Annotated[str, Field(max_length=1000)]
    role: Literal["viewer", "member", "admin"] | None = None
    projects: Annotated[list[_Project], Field(max_length=200)] | None = None
    days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] | None = None


@router.get("/tokens", response_model=models.Tokens)
def tokens(
    accounts: HasAccounts,
    caller: MaybeCaller,
    everybody: Annotated[bool, Query(description="Those of all users; for admins.")] = False,
) -> Response:
    """Tokens, the newest first; never what they are, only what they are called."""
    asking = _known(caller)
    if everybody and not _manages(asking):
        raise NotAllowed("Only admins see the tokens of others.")
    return answer({"tokens": [_document(each) for each in accounts.tokens.list(None if everybody else asking.name)]})


@router.post("/tokens", response_model=models.NewToken)
def make(accounts: HasAccounts, caller: MaybeCaller, asked: Wish) -> Response:
    """Make a token of one's own. Tokens make none: one that was stolen would not end with its revocation."""
    asking = _known(caller)
    if not asking.session:
        raise NotAllowed(
            "A token cannot make tokens. Log in with name and password: in the browser, or `runyard login`."
        )
    return answer(new_token_document(accounts, asking.name, asked, by=asking.name))


@router.delete("/tokens/{token_id}", response_model=models.Token)
def revoke(accounts: HasAccounts, caller: MaybeCaller, token_id: str) -> Response:
    """Revoke a token: one's own, and for admins any. A token may revoke itself."""
    asking = _known(caller)
    token = accounts.tokens.get(token_id)
    is_own = token.user == asking.name and (bool(asking.session) or asking.token_id == token_id)
    if not is_own and not _manages(asking):
        raise NotFound(f"You have no token '{token_id[:40]}'.")
    return answer(_document(accounts.tokens.revoke(token_id, by=asking.name)))


def new_token_document(accounts: Accounts, user: str, asked: Wish, *, by: str) -> dict[str, Any]:
    """Make a token, and tell it."""
    token, secret = accounts.tokens.make(
        user,
        label=asked.label,
        by=by,
        role=Role(asked.role) if asked.role else None,
        projects=asked.projects,
        valid_s=None if asked.days is None else asked.days * DAY_S,
    )
    return _document(token) | {"token": secret}


def _known(caller: Caller | None) -> Caller:
    if caller is None:  # the permission table lets nobody else in
        raise NotAllowed("Log in first.")
    return caller


def _manages(caller: Caller) -> bool:
    return caller.role is Role.ADMIN and caller.only is None


def _document(token: Token) -> dict[str, Any]:
    return {name: getattr(token, name) for name in models.Token.model_fields}
