"""Who may do what: one row for every endpoint. What has no row is refused, whatever routes there are.

A role may do all that lesser ones may. Which runs somebody sees is not decided here but by the scope of the index;
a row says what may be done at all.
"""

import re
from dataclasses import dataclass

from starlette.routing import compile_path

from runyard.accounts import Caller, Role
from runyard.client.remote.calls import CALLS
from runyard.errors import NotAllowed
from runyard.server import mlflow
from runyard.server.mlflow import ENDPOINTS, ROOT, Endpoint
from runyard.server.refusing import MLFLOW

API = "/api/v1"
LARGEST_BODY_BYTES = 4 << 20  # a list of 100,000 ids fits
LARGEST_DELIVERY_BYTES = 80 << 20  # the largest record of a journal, with company
LARGEST_PART_BYTES = 8 << 20  # of a file


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an endpoint needs.

    Attributes:
        role: the least one; None: whoever reaches the server.
        audit: what the audit trail calls it when it was done; empty: what it does is written there by itself, or is
            told by the journals of the runs.
        largest_bytes: of its body, which is read whole.
        is_streamed: its body is a file of any size, which the endpoint reads piece by piece.
    """

    role: Role | None
    audit: str = ""
    largest_bytes: int = LARGEST_BODY_BYTES
    is_streamed: bool = False


_ANYBODY = Rule(role=None)
_SEES = Rule(role=Role.VIEWER)
_MANAGES = Rule(role=Role.ADMIN)
_AUDITED_CALLS = {  # those that no journal tells of
    "queue.pause": "project.pause",
    "queue.resume": "project.resume",
    "reservations.reserve": "slot.reserve",
    "reservations.end": "slot.release",
}


def _rule_of(endpoint: Endpoint) -> Rule:
    """The row of an endpoint of MLflow's dialect."""
    role = None if endpoint.changes is None else Role.MEMBER if endpoint.changes else Role.VIEWER
    is_streamed = endpoint.destination is not None
    return Rule(role=role, largest_bytes=endpoint.largest_bytes, is_streamed=is_streamed)


PERMISSIONS: dict[tuple[str, str], Rule] = {
    ("GET", "/health"): _ANYBODY,
    ("GET", "/metrics"): _SEES,
    ("GET", f"{API}/openapi.json"): _ANYBODY,
    # ---- who asks ----
    ("GET", f"{API}/session"): _ANYBODY,
    ("POST", f"{API}/session"): _ANYBODY,
    ("DELETE", f"{API}/session"): _SEES,
    ("POST", f"{API}/session/token"): _ANYBODY,
    ("POST", f"{API}/session/password"): _SEES,
    ("POST", f"{API}/links/look"): _ANYBODY,
    ("POST", f"{API}/links/follow"): _ANYBODY,
    ("GET", f"{API}/tokens"): _SEES,
    ("POST", f"{API}/tokens"): _SEES,
    ("DELETE", f"{API}/tokens/{{token_id}}"): _SEES,
    # ---- accounts ----
    ("GET", f"{API}/users"): _MANAGES,
    ("POST", f"{API}/users"): _MANAGES,
    ("PATCH", f"{API}/users/{{name}}"): _MANAGES,
    ("POST", f"{API}/users/{{name}}/link"): _MANAGES,
    ("GET", f"{API}/private"): _MANAGES,
    ("PUT", f"{API}/private/{{project:path}}"): _MANAGES,
    ("DELETE", f"{API}/private/{{project:path}}"): _MANAGES,
    ("GET", f"{API}/audit"): _MANAGES,
    # ---- what there is ----
    ("GET", f"{API}/projects"): _SEES,
    ("GET", f"{API}/runs"): _SEES,
    ("GET", f"{API}/runs/{{run_id}}"): _SEES,
    ("GET", f"{API}/runs/{{run_id}}/output"): _SEES,
    ("GET", f"{API}/runs/{{run_id}}/artifacts"): _SEES,
    ("GET", f"{API}/runs/{{run_id}}/media/{{attempt}}/{{stream}}/{{offset}}"): _SEES,
    ("GET", f"{API}/columns"): _SEES,
    ("GET", f"{API}/groups"): _SEES,
    ("POST", f"{API}/series"): _SEES,  # a question, too long for an address
    ("GET", f"{API}/metrics"): _SEES,
    ("GET", f"{API}/media"): _SEES,
    ("GET", f"{API}/artifacts/{{sha256}}"): _SEES,
    ("GET", f"{API}/diff"): _SEES,
    ("GET", f"{API}/queue"): _SEES,
    ("GET", f"{API}/machines"): _SEES,
    ("GET", f"{API}/morning"): _SEES,
    ("GET", f"{API}/disk"): _SEES,
    ("GET", f"{API}/disk/cleaning"): _MANAGES,
    ("GET", f"{API}/trash"): _SEES,
    ("GET", f"{API}/views"): _SEES,
    ("GET", f"{API}/views/{{name:path}}"): _SEES,
    ("GET", f"{API}/events"): _SEES,
    # ---- what is changed ----
    ("PATCH", f"{API}/runs/{{run_id}}"): Rule(role=Role.MEMBER, audit="run.change"),
    ("POST", f"{API}/actions"): Rule(role=Role.MEMBER, audit="runs.act"),
    ("POST", f"{API}/projects/{{name}}/pause"): Rule(role=Role.MEMBER, audit="project.pause"),
    ("POST", f"{API}/projects/{{name}}/resume"): Rule(role=Role.MEMBER, audit="project.resume"),
    ("PUT", f"{API}/views/{{name:path}}"): Rule(role=Role.MEMBER, audit="view.save"),
    ("DELETE", f"{API}/views/{{name:path}}"): Rule(role=Role.MEMBER, audit="view.delete"),
    ("POST", f"{API}/grids/points"): Rule(role=Role.MEMBER, audit="grid.grow"),
    ("PUT", f"{API}/machines/{{host}}/slots/{{slot}}/reservation"): Rule(role=Role.MEMBER, audit="slot.reserve"),
    ("DELETE", f"{API}/machines/{{host}}/slots/{{slot}}/reservation"): Rule(role=Role.MEMBER, audit="slot.release"),
    ("POST", f"{API}/disk/cleaning"): Rule(role=Role.ADMIN, audit="disk.clean"),
    ("POST", f"{API}/trash/empty"): Rule(role=Role.ADMIN, audit="trash.empty"),
    # ---- other machines ----
    ("POST", f"{API}/deliveries"): Rule(role=Role.MEMBER, largest_bytes=LARGEST_DELIVERY_BYTES),
    ("PUT", f"{API}/artifacts/{{sha256}}/parts"): Rule(role=Role.MEMBER, largest_bytes=LARGEST_PART_BYTES),
    ("PUT", f"{API}/runs/{{run_id}}/checkpoints/{{sha256}}/parts"): Rule(
        role=Role.MEMBER, largest_bytes=LARGEST_PART_BYTES
    ),
    ("GET", f"{API}/runs/{{run_id}}/checkpoints/{{sha256}}"): _SEES,
    ("GET", f"{API}/runs/{{run_id}}/journals"): _SEES,
    ("GET", f"{API}/runs/{{run_id}}/journals/{{attempt}}/{{stream}}"): _SEES,
    **{
        ("POST", f"{API}/calls/{call.name}"): Rule(
            role=Role.MEMBER if call.changes else Role.VIEWER, audit=_AUDITED_CALLS.get(call.name, "")
        )
        for call in CALLS.values()
    },
    # ---- MLflow's clients ----
    **{(each.method, ROOT + each.path): _rule_of(each) for each in ENDPOINTS},
}


@dataclass(frozen=True, kw_only=True)
class Match:
    """The row for a request; `names` are the variable parts of its address."""

    rule: Rule
    template: str
    names: dict[str, str]


_PATTERNS: list[tuple[re.Pattern[str], str, dict[str, Rule]]] = []
for (_method, _template), _rule in PERMISSIONS.items():
    if _template.startswith(MLFLOW):
        continue  # found by the dialect's own table
    _known = next((rules for _, template, rules in _PATTERNS if template == _template), None)
    if _known is None:
        _PATTERNS.append((compile_path(_template)[0], _template, {_method: _rule}))
    else:
        _known[_method] = _rule


def find(method: str, path: str) -> Match | None:
    """The row of a request, if there is one."""
    if path.startswith(MLFLOW):
        return _find_below_project(method, path)
    for pattern, template, rules in _PATTERNS:
        if method in rules and (found := pattern.match(path)):
            return Match(rule=rules[method], template=template, names=found.groupdict())
    return None


def methods(path: str) -> list[str]:
    """The methods that an address takes; none if there is nothing."""
    if path.startswith(MLFLOW):
        return mlflow.methods(_below_project(path)[1])
    return sorted({method for pattern, _, rules in _PATTERNS if pattern.match(path) for method in rules})


def _find_below_project(method: str, path: str) -> Match | None:
    project, rest = _below_project(path)
    found = mlflow.find(method, rest)
    if not project or found is None:
        return None
    template = ROOT + found[0].path
    rule = PERMISSIONS.get((method, template))  # a row of the table alone opens nothing
    return Match(rule=rule, template=template, names={"project": project, **found[1]}) if rule else None


def _below_project(path: str) -> tuple[str, str]:
    project, slash, rest = path.removeprefix(MLFLOW).partition("/")
    return project, slash + rest


def too_low(caller: Caller, needed: Role) -> NotAllowed:
    """What somebody is told whose role does not do."""
    what = "This token" if caller.token_id else f"'{caller.name}'"
    return NotAllowed(f"This needs the role '{needed}'; {what} has '{caller.role}'. Ask an admin of the server.")
