"""Every endpoint with every role, without a token, and with tokens that are not good."""

import re

import pytest
from sqlalchemy import update

from runyard.accounts import Role
from runyard.database import upsert
from runyard.database.schema import artifacts, queue
from runyard.server import mlflow, permissions
from runyard.server.permissions import API, PERMISSIONS
from tests.queue.builders import a_run
from tests.server.serving import api_routes
from tests.server.team import OPEN, PRIVATE, Team

ROLES = {"vic": Role.VIEWER, "mia": Role.MEMBER, "ada": Role.ADMIN}
NOT_GOOD = {
    None: "Log in first",
    "expired": "'old box' expired on",
    "revoked": "'lost laptop' was revoked on",
    "unknown": "does not know the token",
}
ENDPOINTS = sorted(each for each in PERMISSIONS if "/ajax-api/" not in each[1])  # twins of others, see below


def address(template: str) -> str:
    """An address that the template fits, of nothing that is there; clients of MLflow may make the project "1"."""
    return re.sub(r"{[^}]*}", "1", template)


def test_every_endpoint_has_a_row_and_every_row_an_endpoint() -> None:
    endpoints = {(method, API + route.path) for route in api_routes() for method in route.methods or ()}

    endpoints |= {(each.method, mlflow.ROOT + each.path) for each in mlflow.ENDPOINTS}

    assert endpoints | {("GET", "/health"), ("GET", "/metrics"), ("GET", f"{API}/openapi.json")} == set(PERMISSIONS)


def test_what_a_page_of_mlflow_asks_needs_what_its_clients_need() -> None:
    twins = {each: (each[0], each[1].replace("/ajax-api/", "/api/")) for each in PERMISSIONS if "/ajax-api/" in each[1]}

    assert len(twins) > 40
    for twin, original in twins.items():
        assert original not in PERMISSIONS or PERMISSIONS[twin] == PERMISSIONS[original], twin


def test_a_row_of_the_dialects_own_table_opens_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("POST", mlflow.ROOT + "/api/2.0/mlflow/runs/search")
    monkeypatch.delitem(PERMISSIONS, place)

    assert team.ask("POST", "/mlflow/weld/api/2.0/mlflow/runs/search", "ada", {}).status_code in (404, 405)


@pytest.mark.parametrize(("method", "template"), ENDPOINTS)
def test_the_row_that_is_found_is_that_of_the_endpoint(method: str, template: str) -> None:
    found = permissions.find(method, address(template))

    assert found is not None
    assert found.template == template


@pytest.mark.parametrize("who", NOT_GOOD)
@pytest.mark.parametrize(("method", "template"), ENDPOINTS)
def test_nobody_gets_in_without_a_good_token(shared_team: Team, method: str, template: str, who: str | None) -> None:
    response = shared_team.ask(method, address(template), who, {} if method != "GET" else None)

    if PERMISSIONS[method, template].role is None:
        assert response.status_code in (200, 303, 422)
        return
    assert response.status_code == 401
    assert NOT_GOOD[who] in response.json()["error"]
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("who", ROLES)
@pytest.mark.parametrize(("method", "template"), [each for each in ENDPOINTS if not each[1].endswith("/events")])
def test_a_role_may_do_what_its_row_says(shared_team: Team, method: str, template: str, who: str) -> None:
    needed = PERMISSIONS[method, template].role

    response = shared_team.ask(method, address(template), who, {} if method != "GET" else None)

    if needed is None or ROLES[who].covers(needed):
        assert response.status_code < 500 or response.status_code == 501  # what MLflow has and we leave to others
        assert response.status_code != 401
        assert "needs the role" not in response.text
    else:
        assert response.status_code == 403
        assert f"needs the role '{needed}'; this token has '{ROLES[who]}'" in response.json()["error"].replace(
            "This token", "this token"
        )


def test_what_has_no_row_is_refused_though_there_is_a_route(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [each for each in permissions._PATTERNS if each[1] != f"{API}/runs"]
    monkeypatch.setattr(permissions, "_PATTERNS", kept)

    assert team.ask("GET", f"{API}/runs", "ada").status_code == 404


def test_addresses_that_are_none_tell_nothing(shared_team: Team) -> None:
    assert shared_team.ask("GET", f"{API}/nothing").status_code == 404
    assert shared_team.ask("PUT", f"{API}/runs", "ada").status_code == 405
    assert shared_team.ask("HEAD", f"{API}/runs", "ada").status_code == 405


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  x y", "Basic YWRhOng=", "ry_x"])
def test_an_authorization_that_is_none_is_refused(shared_team: Team, header: str) -> None:
    response = shared_team.ask("GET", f"{API}/runs", headers={"Authorization": header})

    assert response.status_code == 401


# ---- projects of others ----

LISTS = [
    "/projects", "/runs?limit=500", "/runs?query=state%3D%3D'COMPLETED'&limit=500", "/columns", "/groups?limit=500",
    "/groups?by=config.seed&limit=500", "/queue", "/machines", "/morning?since=2020-01-01T00:00:00Z", "/disk", "/trash",
    "/views",
]  # fmt: skip


@pytest.mark.parametrize("who", ["max", "vic", "restricted"])
@pytest.mark.parametrize("path", LISTS)
def test_lists_know_nothing_of_a_project_of_others(shared_team: Team, path: str, who: str) -> None:
    hidden = shared_team.get("/runs", "ada", project=PRIVATE, limit=500)["runs"]
    hidden += [run for run in shared_team.get("/trash", "ada")["runs"] if run["project"] == PRIVATE]
    assert len(hidden) > 30

    text = shared_team.ask("GET", API + path, who).text

    assert PRIVATE not in text
    assert not [run["id"] for run in hidden if run["id"] in text]
    assert '"lr-depth' not in text


@pytest.mark.parametrize("who", ["max", "restricted"])
def test_a_run_of_others_is_as_if_it_were_not_there(shared_team: Team, who: str) -> None:
    ask = shared_team.ask
    hidden = shared_team.get("/runs", "ada", project=PRIVATE, query="state == 'COMPLETED'")["runs"][0]["id"]
    media = shared_team.get("/media", "ada", runs=hidden)["media"][0]
    sha256 = _store_file(shared_team, hidden)
    seen = shared_team.get("/runs", "ada", project=OPEN)["runs"][0]["id"]
    place = f"{media['attempt']}/{media['stream']}/{media['offset']}"

    gone = [
        f"/runs/{hidden}", f"/runs/{hidden}/output", f"/runs/{hidden}/artifacts", f"/runs/{hidden}/media/{place}",
        f"/artifacts/{sha256}", f"/diff?runs={seen},{hidden}",
    ]  # fmt: skip
    for path in gone:
        assert ask("GET", API + path, "mia").status_code == 200, path
        assert ask("GET", API + path, who).status_code == 404, path
    assert shared_team.get("/media", who, runs=hidden)["media"] == []
    assert shared_team.get("/metrics", who, runs=hidden)["keys"] == []
    assert shared_team.get("/runs", who, project=PRIVATE)["total"] == 0
    assert shared_team.get("/runs", who, query=f'project == "{PRIVATE}"')["total"] == 0
    body: dict[str, object] = {"runs": [hidden], "keys": ["val/loss"]}
    assert len(ask("POST", f"{API}/series", "mia", body).content) > 200
    assert b'"series":[]' in ask("POST", f"{API}/series", who, body).content
    body = {"runs": [hidden], "keys": ["val/loss"], "x": "time", "start": 0}
    assert b'"series":[]' in ask("POST", f"{API}/series", who, body).content


@pytest.mark.parametrize(
    "action", ["stop", "retry", "hold", "release", "trash", "restore", "priority", "top", "before"]
)
def test_a_run_of_others_cannot_be_changed(shared_team: Team, action: str) -> None:
    hidden = shared_team.get("/runs", "ada", project=PRIVATE, limit=1)["runs"][0]
    value = 7 if action == "priority" else hidden["id"] if action == "before" else None

    done = shared_team.ask(
        "POST", f"{API}/actions", "max", {"action": action, "runs": [hidden["id"]], "value": value}
    ).json()

    assert done["done"] == []
    assert "There is no run" in done["refused"][0]["why"]
    assert shared_team.ask("PATCH", f"{API}/runs/{hidden['id']}", "max", {"note": "x"}).status_code == 404
    assert shared_team.ask("POST", f"{API}/projects/{PRIVATE}/pause", "max").status_code == 404
    assert shared_team.get(f"/runs/{hidden['id']}", "ada")["note"] == hidden["note"]


@pytest.mark.parametrize("who", ["max", "restricted"])
def test_a_project_of_others_is_neither_paused_nor_told_to_be(team: Team, who: str) -> None:
    for name in ("queue.pause", "queue.resume"):
        assert team.ask("POST", f"{API}/calls/{name}", who, {"project": PRIVATE}).status_code == 403
    assert team.ask("POST", f"{API}/calls/queue.pause", "mia", {"project": PRIVATE}).status_code == 200

    assert PRIVATE.encode() in team.ask("POST", f"{API}/calls/queue.paused", "mia", {}).content
    assert PRIVATE.encode() not in team.ask("POST", f"{API}/calls/queue.paused", who, {}).content


@pytest.mark.parametrize("who", ["max", "restricted"])
def test_leases_and_grids_of_others_are_not_told(team: Team, who: str) -> None:
    client = team.served.client
    waiting, leased = (a_run(project=PRIVATE, grid="secret") for _ in range(2))
    client.submit([waiting])
    client.submit([leased])
    with client.database.transaction() as tx:
        claimed = {"state": "leased", "worker_id": "w1", "attempt": 1, "lease_expires_at": 4e9}
        tx.execute(update(queue).where(queue.c.run_id == leased.id).values(**claimed))
    asked = {"queue.waiting_of_grid": {"grid": "secret"}, "queue.leases_of_worker": {"worker_id": "w1"}}

    for name, arguments in asked.items():
        run_id = (leased if "leases" in name else waiting).id.encode()
        assert run_id in team.ask("POST", f"{API}/calls/{name}", "mia", arguments).content, name
        assert run_id not in team.ask("POST", f"{API}/calls/{name}", who, arguments).content, name


def test_what_no_journal_tells_is_in_the_audit_trail_when_a_machine_asked_for_it(team: Team) -> None:
    slot = {"host": "ws1", "slot": "gpu0"}
    asked = {
        "queue.pause": {"project": OPEN},
        "queue.resume": {"project": OPEN},
        "reservations.reserve": slot | {"label": "GPU 0", "hours": 1.0, "why": "a demo"},
        "reservations.end": slot,
    }

    for name, arguments in asked.items():
        assert team.ask("POST", f"{API}/calls/{name}", "mia", arguments).status_code == 200, name

    entries = [(e["who"], e["what"], e["subject"]) for e in team.get("/audit", "ada")["entries"][:4]]
    assert entries == [
        ("mia", "slot.release", "ws1, gpu0"),
        ("mia", "slot.reserve", "ws1, gpu0"),
        ("mia", "project.resume", OPEN),
        ("mia", "project.pause", OPEN),
    ]


def test_a_restricted_token_of_an_admin_deletes_nothing_for_good(shared_team: Team) -> None:
    response = shared_team.ask("POST", f"{API}/trash/empty", "restricted")

    assert response.status_code == 403
    assert "all projects" in response.json()["error"]


def test_what_was_remembered_for_one_is_not_told_to_another(shared_team: Team) -> None:
    for who in ("ada", "max", "ada", "max"):
        names = {project["name"] for project in shared_team.get("/projects", who)["projects"]} - {"1"}
        assert names == ({PRIVATE, OPEN} if who == "ada" else {OPEN})


def test_members_of_a_private_project_see_it(team: Team) -> None:
    assert team.get("/runs", "mia", project=PRIVATE)["total"] > 0

    team.accounts.projects.set_members(PRIVATE, ["mia", "max"], by="ada")
    team.clock.ahead_s += 1
    browser = team.browser("max")

    assert browser.get(f"{API}/runs", params={"project": PRIVATE}).json()["total"] > 0


def test_changes_carry_the_name_of_who_made_them(team: Team) -> None:
    run = team.get("/runs", "mia", query="state == 'QUEUED'")["runs"][0]["id"]

    assert team.ask("POST", f"{API}/actions", "mia", {"action": "hold", "runs": [run]}).json()["done"] == [run]
    assert (
        team.ask("POST", f"{API}/actions", "mia", {"action": "stop", "runs": [run], "value": "no"}).status_code == 200
    )

    reason = team.get(f"/runs/{run}", "mia")["reason"]
    assert "mia" in reason
    entries = team.get("/audit", "ada")["entries"]
    assert [(e["who"], e["what"], e["detail"], e["subject"]) for e in entries[:2]] == [
        ("mia", "runs.act", "stop", run),
        ("mia", "runs.act", "hold", run),
    ]


def _store_file(team: Team, run_id: str) -> str:
    """A file that no other run has, as if the run had logged it."""
    client = team.served.client
    sha256 = client.artifacts.put_bytes(b"weights of a customer")
    row = {"run_id": run_id, "attempt": 1, "stream": "host", "offset": 1 << 40, "name": "weights", "sha256": sha256}
    row |= {"size_bytes": 21, "kind": "artifact", "meta": b"\x80", "time_ns": 0}
    with client.database.transaction() as tx:
        upsert(tx, artifacts, [row])
    return sha256
