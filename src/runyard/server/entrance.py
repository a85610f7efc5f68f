"""The entrance: who asks, and whether the permission table lets them. Nothing reaches a route without a row there.

Without accounts whoever reaches the server is let in: it listens on loopback.
"""

import re
import time
from collections import OrderedDict

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runyard.accounts import Accounts, Caller
from runyard.client.remote.transport import ERROR_HEADER
from runyard.errors import LoginNeeded, RunyardError
from runyard.server import permissions
from runyard.server.answers import status_of
from runyard.server.guard import READS
from runyard.server.measuring import Meter
from runyard.server.refusing import MLFLOW, refuse

REMEMBERED_S = 1.0  # so long a token that was revoked through another process may still be good
_MOST_REMEMBERED = 10_000
_OPEN = ("/health", "/metrics")
_OF_MLFLOW = re.compile(r"api/\d\.\d/mlflow/(.+)", re.DOTALL)
_CHALLENGE = ("www-authenticate", "Bearer")
_ABOUT_ACCOUNTS = tuple(f"{permissions.API}/{name}" for name in ("session", "links", "tokens", "users", "private"))


def cookie_name(scheme: str) -> str:
    """The name of the session's cookie; browsers take a `__Host-` one from its own host and by TLS alone."""
    return "__Host-runyard" if scheme == "https" else "runyard-session"


def _nothing_at(path: str) -> str:
    asked = _OF_MLFLOW.search(path) if path.startswith(MLFLOW) else None
    if asked is None:
        return "There is nothing at this address."
    name = asked[1][:100]
    return f"Runyard has no '{name}': of MLflow's API it speaks what tracking needs, and neither registry nor traces."


class Entrance:
    """Lets requests in. `state["caller"]` of a request is who asks, or None."""

    def __init__(self, app: ASGIApp, accounts: Accounts | None, meter: Meter) -> None:
        self._app = app
        self._accounts = accounts
        self._meter = meter
        self._known: OrderedDict[tuple[str, str], tuple[float, Caller]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        state = scope.setdefault("state", {})
        state["caller"] = None
        if path not in _OPEN and not path.startswith((permissions.API, MLFLOW)):
            await self._app(scope, receive, send)  # pages hold nothing but themselves
            return
        found = permissions.find(method, path)
        if found is None:
            taken = permissions.methods(path)
            sentence = "This address does not take that method." if taken else _nothing_at(path)
            await refuse(
                scope, send, 405 if taken else 404, sentence, *([("allow", ", ".join(taken))] if taken else [])
            )
            return
        if self._accounts is not None:
            try:
                state["caller"] = await self._admit(self._accounts, scope, found.rule)
            except RunyardError as problem:
                status = status_of(problem)
                self._meter.note_request(method, found.template, status, 0.0)
                kind = (ERROR_HEADER, type(problem).__name__)
                await refuse(scope, send, status, str(problem), kind, *([_CHALLENGE] if status == 401 else []))
                return
        state["largest_bytes"] = found.rule.largest_bytes
        state["is_streamed"] = found.rule.is_streamed
        await self._pass_on(scope, receive, send, found)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, found: permissions.Match) -> None:
        status, began = 500, time.monotonic()

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            self._meter.note_request(scope["method"], found.template, status, time.monotonic() - began)
            if scope["method"] not in READS and found.template.startswith(_ABOUT_ACCOUNTS):
                self._known.clear()
        caller: Caller | None = scope["state"]["caller"]
        if self._accounts is not None and caller is not None and found.rule.audit and status < 400:
            subject = scope["state"].get("subject") or ", ".join(found.names.values())
            detail = scope["state"].get("detail", "")
            audit = self._accounts.audit
            await run_in_threadpool(audit.write, caller.name, found.rule.audit, subject, detail=detail)

    async def _admit(self, accounts: Accounts, scope: Scope, rule: permissions.Rule) -> Caller | None:
        """Who asks; None where that does not matter and nobody says it."""
        try:
            caller = await self._identify(accounts, scope)
        except LoginNeeded:
            if rule.role is None:
                return None
            raise
        if rule.role is None:
            return caller
        if caller is None:
            raise LoginNeeded("Log in first: in the browser, or with `runyard login` for a token of this machine.")
        if not caller.role.covers(rule.role):
            raise permissions.too_low(caller, rule.role)
        return caller

    async def _identify(self, accounts: Accounts, scope: Scope) -> Caller | None:
        headers = Headers(scope=scope)
        shown = headers.get("authorization")
        if shown is not None:
            kind, _, key = shown.partition(" ")
            if kind.lower() != "bearer" or not key.strip():
                raise LoginNeeded("The header 'Authorization' must be 'Bearer' and a token.")
            return await self._recall(accounts, "token", key.strip())
        cookies = cookie_parser(headers.get("cookie", ""))
        session = cookies.get(cookie_name(scope["scheme"]))
        return await self._recall(accounts, "session", session) if session else None

    async def _recall(self, accounts: Accounts, kind: str, key: str) -> Caller:
        now = time.monotonic()
        known = self._known.get((kind, key))
        if known is not None and now - known[0] < REMEMBERED_S:
            return known[1]
        caller = await run_in_threadpool(accounts.of_token if kind == "token" else accounts.of_session, key)
        self._known[kind, key] = (now, caller)
        self._known.move_to_end((kind, key))
        if len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return caller
