"""Logging in and out over HTTP: cookies, links, tokens, limits."""

import httpx
import pytest

from runyard.accounts import attempts
from runyard.accounts.sessions import IDLE_S
from runyard.server.permissions import API
from tests.server.serving import Served
from tests.server.team import PASSWORD, Team


def test_whoever_asks_is_told_who_they_are(shared_team: Team) -> None:
    nobody = shared_team.ask("GET", f"{API}/session").json()
    machine = shared_team.get("/session", "restricted")
    browser = shared_team.browser("vic").get(f"{API}/session").json()

    assert nobody == {"has_accounts": True, "user": None, "role": None, "token_id": None, "projects": None}
    assert machine.pop("token_id")
    nobody.pop("token_id")
    browser.pop("token_id")
    assert machine == nobody | {"user": "ada", "role": "admin", "projects": ["paint-check"]}
    assert browser == nobody | {"user": "vic", "role": "viewer"}


def test_a_token_that_is_not_good_asks_as_nobody(shared_team: Team) -> None:
    assert shared_team.get("/session", "revoked")["user"] is None


def test_the_dashboard_of_one_machine_has_no_accounts(shared: Served) -> None:
    session = shared.get("/session")

    assert (session["has_accounts"], session["role"]) == (False, "admin")
    shared.send("POST", "/session", {"name": "ada", "password": PASSWORD}, status=404)
    assert shared.get("/tokens", status=404)["error"].startswith("This is the dashboard of one machine")


def test_the_cookie_is_for_this_site_and_no_script(shared_team: Team) -> None:
    answer = shared_team.ask("POST", f"{API}/session", body={"name": "vic", "password": PASSWORD})

    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("runyard-session=")
    for part in ("httponly", "samesite=strict", "path=/"):
        assert part in cookie
    assert "domain" not in cookie
    assert "secure" not in cookie  # the test speaks plain HTTP; behind TLS it is


def test_logging_out_ends_the_session_here_too(team: Team) -> None:
    browser = team.browser("vic")
    key = browser.cookies["runyard-session"]
    assert browser.get(f"{API}/runs").status_code == 200

    assert browser.delete(f"{API}/session").json()["user"] is None

    assert "runyard-session" not in browser.cookies
    with httpx.Client(base_url=team.served.http.base_url, trust_env=False, cookies={"runyard-session": key}) as thief:
        assert thief.get(f"{API}/runs").status_code == 401


def test_a_session_expires(team: Team) -> None:
    browser = team.browser("vic")
    team.clock.ahead_s = IDLE_S + 1
    assert browser.delete(f"{API}/tokens/nothing").status_code == 401  # and what was remembered of it is forgotten

    answer = browser.get(f"{API}/runs")

    assert answer.status_code == 401
    assert "expired" in answer.json()["error"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_session_changes_nothing_from_another_page(shared_team: Team, method: str) -> None:
    browser = shared_team.browser("ada")
    del browser.headers["X-Runyard"]
    assert browser.request(method, f"{API}/users/vic", json={}).status_code == 403

    browser.headers["X-Runyard"] = "1"
    browser.headers["Origin"] = "http://evil.example"
    answer = browser.request(method, f"{API}/users/vic", json={})

    assert answer.status_code == 403
    assert "another origin" in answer.json()["error"]


def test_a_wrong_password_is_refused_until_one_has_to_wait(team: Team) -> None:
    wrong = {"name": "vic", "password": "wrong password"}
    answers = [team.ask("POST", f"{API}/session", body=wrong) for _ in range(attempts.BY_NAME + 1)]

    assert {answer.status_code for answer in answers[:-1]} == {401}
    assert answers[-1].status_code == 429
    assert 800 < int(answers[-1].headers["retry-after"]) <= attempts.WINDOW_S
    right = team.ask("POST", f"{API}/session/token", body={"name": "vic", "password": PASSWORD, "label": "x"})
    assert right.status_code == 429


def test_an_invitation_makes_an_account(team: Team) -> None:
    admin = team.browser("ada")
    invited = admin.post(f"{API}/users", json={"name": "Eva", "role": "viewer"}).json()
    assert (invited["name"], invited["has_password"]) == ("eva", False)
    link = {"link": invited["link"]}

    assert team.ask("POST", f"{API}/links/look", body=link).json() == {"kind": "invitation", "user": "eva"}
    followed = team.ask("POST", f"{API}/links/follow", body=link | {"password": PASSWORD})

    assert (followed.json()["user"], followed.json()["role"]) == ("eva", "viewer")
    assert "set-cookie" in followed.headers
    again = team.ask("POST", f"{API}/links/follow", body=link | {"password": PASSWORD})
    assert again.status_code == 401
    assert "used already" in again.json()["error"]
    assert team.browser("eva").get(f"{API}/runs").status_code == 200


def test_name_and_password_get_a_token_for_a_machine(team: Team) -> None:
    wish = {"name": "mia", "password": PASSWORD, "label": "box", "role": "viewer", "days": 1}
    made = team.ask("POST", f"{API}/session/token", body=wish).json()
    team.tokens["new"] = made["token"]

    assert team.get("/session", "new")["role"] == "viewer"
    listed = team.get("/tokens", "new")["tokens"]
    assert made["id"] in {token["id"] for token in listed}
    assert made["token"] not in str(listed)
    team.clock.ahead_s += 86_401
    refused = team.ask("GET", f"{API}/queue", "new")
    if refused.status_code == 200:  # remembered for a second; a write makes the server look again
        team.ask("DELETE", f"{API}/tokens/nothing", "mia")
        refused = team.ask("GET", f"{API}/queue", "new")
    assert "'box' expired" in refused.json()["error"]


def test_tokens_are_revoked_by_their_owner_themselves_and_admins(team: Team) -> None:
    browsers = {name: team.browser(name) for name in ("mia", "max", "ada")}
    ids = [browsers["mia"].post(f"{API}/tokens", json={"label": str(n)}).json()["id"] for n in range(2)]

    assert browsers["max"].delete(f"{API}/tokens/{ids[0]}").status_code == 404
    assert team.ask("DELETE", f"{API}/tokens/{ids[0]}", "mia").status_code == 404  # a token revokes but itself
    assert browsers["mia"].delete(f"{API}/tokens/{ids[0]}").json()["revoked_at"]
    assert browsers["ada"].delete(f"{API}/tokens/{ids[1]}").json()["revoked_at"]
    own = next(t for t in team.get("/tokens", "mia")["tokens"] if t["label"] == "mia's box")
    assert team.ask("DELETE", f"{API}/tokens/{own['id']}", "mia").status_code == 200
    assert team.ask("GET", f"{API}/runs", "mia").status_code == 401


def test_a_token_makes_no_tokens(shared_team: Team) -> None:
    refused = shared_team.ask("POST", f"{API}/tokens", "ada", {"label": "more"})

    assert refused.status_code == 403
    assert "cannot make tokens" in refused.json()["error"]


def test_a_token_is_at_most_what_its_owner_is(shared_team: Team) -> None:
    refused = shared_team.browser("vic").post(f"{API}/tokens", json={"label": "more", "role": "admin"})

    assert refused.status_code == 403
    assert "at most viewer" in refused.json()["error"]


def test_only_admins_see_the_tokens_of_others(shared_team: Team) -> None:
    assert shared_team.ask("GET", f"{API}/tokens?everybody=true", "mia").status_code == 403
    assert shared_team.ask("GET", f"{API}/tokens?everybody=true", "restricted").status_code == 403
    users = {token["user"] for token in shared_team.get("/tokens", "ada", everybody=True)["tokens"]}
    assert users == {"ada", "mia", "max", "vic"}


def test_a_new_password_keeps_this_browser_and_no_other(team: Team) -> None:
    here, there = team.browser("vic"), team.browser("vic")
    body = {"old": PASSWORD, "new": "another password"}

    assert here.post(f"{API}/session/password", json=body).json()["user"] == "vic"

    assert here.get(f"{API}/runs").status_code == 200
    assert there.get(f"{API}/runs").status_code == 401
    assert team.ask("POST", f"{API}/session/password", "vic", body).status_code == 422


def test_an_admin_manages_accounts(team: Team) -> None:
    admin = team.browser("ada")

    assert admin.patch(f"{API}/users/max", json={"role": "viewer"}).json()["role"] == "viewer"
    assert team.ask("POST", f"{API}/actions", "max", {"action": "stop", "runs": ["x"]}).status_code == 403
    assert admin.patch(f"{API}/users/max", json={"is_disabled": True}).json()["is_disabled"]
    refused = team.ask("GET", f"{API}/runs", "max")
    assert refused.status_code == 401
    assert "'max' is disabled" in refused.json()["error"]
    assert admin.patch(f"{API}/users/ada", json={"role": "member"}).status_code == 409
    assert admin.patch(f"{API}/users/nobody", json={}).status_code == 404
    assert len(admin.get(f"{API}/users").json()["users"]) == 4
    link = admin.post(f"{API}/users/vic/link").json()["link"]
    assert team.ask("POST", f"{API}/links/look", body={"link": link}).json()["kind"] == "reset"


def test_an_admin_makes_projects_private(team: Team) -> None:
    admin = team.browser("ada")
    made = admin.put(f"{API}/private/paint-check", json={"members": ["vic"]}).json()

    assert made == {"project": "paint-check", "members": ["vic"]}
    assert team.get("/projects", "max")["projects"] == []
    assert len(admin.get(f"{API}/private").json()["projects"]) == 2
    assert admin.put(f"{API}/private/paint-check", json={"members": ["nobody"]}).status_code == 404
    assert admin.delete(f"{API}/private/paint-check").status_code == 200
    assert admin.delete(f"{API}/private/paint-check").status_code == 409
    assert [p["name"] for p in team.get("/projects", "max")["projects"]] == ["paint-check"]


def test_health_is_for_everybody_and_metrics_are_not(shared_team: Team) -> None:
    assert shared_team.ask("GET", "/health").json()["status"] == "ok"
    assert shared_team.ask("GET", "/metrics").status_code == 401

    answer = shared_team.ask("GET", "/metrics", "vic")

    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert any(line.startswith('runyard_runs{state="COMPLETED"} ') for line in lines)
    assert any(line.startswith('runyard_request_seconds_bucket{path="/api/v1/') for line in lines)
    assert "runyard_delivered_bytes_total 0" in lines
    named = [line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")]
    declared = {line.split(" ")[2] for line in lines if line.startswith("# TYPE")}
    assert {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in named} == declared


def test_no_secret_is_in_the_trail(team: Team) -> None:
    admin = team.browser("ada")
    token = admin.post(f"{API}/tokens", json={"label": "box"}).json()["token"]
    link = admin.post(f"{API}/users/vic/link").json()["link"]

    trail = admin.get(f"{API}/audit", params={"limit": 500}).text

    assert '"token.make"' in trail
    for secret in (token, link, PASSWORD, admin.cookies["runyard-session"]):
        assert secret not in trail
