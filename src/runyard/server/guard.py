"""What a browser may do with the answer, and which pages may ask.

Any page in the browser of the same person can send requests here. Three checks keep such pages out: the name in `Host`
must be one of ours (`addressing.py`), whatever changes something must carry a header that no page of another origin can
send without being asked first, and `Origin` must be ours where a browser sends it. A token proves more than the header
does: no page of another origin can know it. MLflow's clients send neither; what they send instead (JSON, or a method
that no form has) is also nothing that such a page can send without being asked first.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runyard.server.addressing import Addressing, Seen
from runyard.server.refusing import MLFLOW, MLFLOW_OF_NO_PROJECT, refuse

WRITE_HEADER = "X-Runyard"
READS = frozenset({"GET", "HEAD"})

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "media-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
SANDBOX = "default-src 'none'; sandbox"  # for what a run has stored: nothing in it is executed or loads anything
_STRICT_TRANSPORT = "max-age=31536000"


def content_policy(scripts: Iterable[str] = (), styles: Iterable[str] = ()) -> str:
    """The content security policy; inline scripts and styles are allowed by their SHA-256, in Base64."""
    allowed = {
        name: " ".join([_POLICY[name], *(f"'sha256-{digest}'" for digest in digests)])
        for name, digests in (("script-src", scripts), ("style-src", styles))
    }
    return "; ".join(f"{name} {value}" for name, value in (_POLICY | allowed).items())


_HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses what does not come from a page of ours, and adds the headers that keep our pages strict."""

    def __init__(self, app: ASGIApp, addressing: Addressing) -> None:
        self._app = app
        self._addressing = addressing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        seen = self._addressing.seen(scope, headers)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answered.setdefault(name, value)
                if seen.scheme == "https":
                    answered.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)
            await send(message)

        refusal = self._refusal(scope, headers, seen)
        if refusal is not None:
            await refuse(scope, send_guarded, *refusal)
            return
        client = scope.get("client")
        told = {"scheme": seen.scheme, "client": (seen.client, client[1] if client else 0)}
        await self._app(dict(scope) | told, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers, seen: Seen) -> tuple[int, str] | None:
        """Status and sentence, or None if all is well."""
        server = scope.get("server")
        port = server[1] if server else None
        if not self._addressing.is_ours(seen, port):
            return 421, self._misdirected(port)
        if scope["path"].startswith(MLFLOW_OF_NO_PROJECT):
            own = f"{seen.scheme}://{headers.get('host', '')}{MLFLOW}"
            return 404, f"MLflow's API has an address for each project: set MLFLOW_TRACKING_URI to {own}PROJECT."
        if scope["method"] in READS:
            return None
        if not (headers.get(WRITE_HEADER) == "1" or headers.get("authorization") or _is_of_mlflow(scope, headers)):
            return 403, f"Whatever changes something needs the header '{WRITE_HEADER}: 1', or a token."
        if any(not self._addressing.is_own_origin(origin, seen) for origin in headers.getlist("origin")):
            return 403, "A page of another origin may not change anything here."
        return None

    def _misdirected(self, port: int | None) -> str:
        if self._addressing.names:
            return "This server does not answer to the name in your request. Its admin gives it names with --name."
        return (
            f"This server answers to localhost and 127.0.0.1 with port {port}, not to the name in your request. "
            f"Open http://127.0.0.1:{port}/ instead; a tunnel must use the same port number at both ends."
        )


def _is_of_mlflow(scope: Scope, headers: Headers) -> bool:
    """Whether a write speaks MLflow's dialect in a way that a browser would ask about first."""
    if not scope["path"].startswith(MLFLOW):
        return False
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return scope["method"] in ("PUT", "PATCH", "DELETE") or kind == "application/json"
