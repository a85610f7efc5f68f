"""GitLab's API, as far as CI needs it: one comment on a merge request, the state of a pipeline.

The address is GitLab's own: from the variables of a CI job, or from the remote of a repository. The token comes from
the environment and is never shown.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runyard.errors import ServiceError, UsageError
from runyard.git import run_git

TOKENS = ("RUNYARD_GITLAB_TOKEN", "GITLAB_TOKEN")
_TIMEOUT_S = 20.0
_PAGE = 100
_MOST_PAGES = 50  # a merge request with 5,000 comments has other troubles
_REMOTE = re.compile(
    r"(?:https?://(?:[^@/]*@)?|ssh://(?:[^@/]*@)?|[\w.-]+@)(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>.+?)(?:\.git)?/?$"
)


def comment(text: str, *, marker: str, variables: Mapping[str, str]) -> str:
    """Write a comment on the merge request of this CI job, or edit the one that has the marker; return what was done.

    Raises:
        ServiceError: GitLab cannot be reached, or refuses.
    """
    needed = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_MERGE_REQUEST_IID")
    missing = [name for name in needed if not variables.get(name)]
    if missing:
        return f"No comment was written: this is no pipeline of a merge request ({missing[0]} is not set)."
    token = token_of(variables)
    if not token:
        return f"No comment was written: {TOKENS[0]} holds no token (with the scope `api`)."
    base, project, request = (variables[name] for name in needed)
    notes = f"{base}/projects/{urllib.parse.quote(project, safe='')}/merge_requests/{int(request)}/notes"
    own = _find(notes, marker, token)
    if own is not None:
        _ask("PUT", f"{notes}/{own}", token, {"body": text})
        return "The comment on the merge request was edited."
    _ask("POST", notes, token, {"body": text})
    return "A comment was written on the merge request."


def token_of(variables: Mapping[str, str]) -> str:
    """The token for GitLab; empty if there is none.

    Raises:
        UsageError: there is something that can be no token.
    """
    name = next((name for name in TOKENS if variables.get(name)), "")
    token = variables.get(name, "").strip()
    if token and not re.fullmatch(r"[\x21-\x7e]+", token):  # else it would be quoted in an error of the HTTP library
        raise UsageError(f"What {name} holds is no token: it has spaces or other characters that no token has.")
    return token


def pipeline_state(folder: Path, *, token: str, address: str | None = None) -> str:
    """How the latest pipeline of the main branch went: success, failed, running …; "none" if there is none.

    Args:
        folder: of a repository whose remote `origin` leads to GitLab.
        address: GitLab's own, such as https://gitlab.example; else https and the host of the remote.

    Raises:
        ServiceError: GitLab cannot be reached, or refuses, or the repository has no such remote.
    """
    remote = (run_git(folder, "remote", "get-url", "origin") or b"").decode(errors="replace").strip()
    found = _REMOTE.match(remote)
    if not found:
        raise ServiceError(f"{folder} has no remote 'origin' at a GitLab.")
    base = (address or f"https://{found['host']}").rstrip("/")
    project = urllib.parse.quote(found["path"], safe="")
    answer = _ask("GET", f"{base}/api/v4/projects/{project}/pipelines?per_page=1&ref={_branch(folder)}", token)
    return str(answer[0].get("status", "unknown")) if answer else "none"


def _branch(folder: Path) -> str:
    head = (run_git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD") or b"origin/main").decode().strip()
    return urllib.parse.quote(head.removeprefix("origin/"), safe="")


def _find(notes: str, marker: str, token: str) -> int | None:
    """The newest comment with the marker."""
    for page in range(1, _MOST_PAGES + 1):
        found = _ask("GET", f"{notes}?per_page={_PAGE}&page={page}&order_by=created_at&sort=desc", token)
        for note in found:
            if marker in str(note.get("body", "")) and not note.get("system"):
                return int(note["id"])
        if len(found) < _PAGE:
            return None
    return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to somebody else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _ask(method: str, url: str, token: str, body: object = None) -> Any:  # JSON
    data = None if body is None else json.dumps(body).encode()
    headers = {"PRIVATE-TOKEN": token, "Content-Type": "application/json", "User-Agent": "runyard"}
    shown = url.partition("?")[0]
    if not url.startswith(("https://", "http://")):
        raise ServiceError(f"{shown} is no address of GitLab.")
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        hint = " Does the token have the scope `api`, and is it still good?" if error.code in (401, 403, 404) else ""
        raise ServiceError(f"GitLab answered {error.code} to {method} {shown}.{hint}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ServiceError(f"GitLab cannot be reached at {shown}: {reason}.") from None
