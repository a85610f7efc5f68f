"""A server with accounts: one user of each role, and tokens that are good and such that are not."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from runyard.accounts import Accounts, Role
from runyard.client import open_client
from runyard.server.addressing import Addressing
from runyard.server.permissions import API
from tests.server.serving import Served, serving

PASSWORD = "correct horse battery"
PRIVATE = "weld-seam"  # only `mia` and the admin see it
OPEN = "paint-check"
ADDRESS = "192.0.2.7"


class Clock:
    """The time, which a test may move on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass
class Team:
    """`tokens` by what they are; `ada` is admin, `mia` and `max` are members, `vic` is viewer."""

    served: Served
    accounts: Accounts
    clock: Clock
    tokens: dict[str, str] = field(default_factory=dict)
    browsers: list[httpx.Client] = field(default_factory=list)

    def ask(self, method: str, path: str, who: str | None = None, body: Any = None, **more: Any) -> httpx.Response:
        """Ask with a token, or with none."""
        self.served.http.cookies.clear()  # or it would go on as whoever logged in last
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {"X-Runyard": "1"}
        return self.served.http.request(method, path, json=body, headers=headers | more.pop("headers", {}), **more)

    def get(self, path: str, who: str, **params: Any) -> Any:
        """The JSON of an answer under /api/v1."""
        response = self.ask("GET", API + path, who, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def browser(self, name: str) -> httpx.Client:
        """A browser in which somebody has logged in."""
        browser = httpx.Client(
            base_url=self.served.http.base_url, trust_env=False, timeout=30, headers={"X-Runyard": "1"}
        )
        self.browsers.append(browser)
        answer = browser.post(f"{API}/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return browser


@contextmanager
def team_at(home: Path, addressing: Addressing | None = None) -> Iterator[Team]:
    """Serve a home for a team until the block ends."""
    client = open_client(home)
    clock = Clock()
    accounts = Accounts(client.database, clock=clock)
    try:
        with serving(home, accounts=accounts, addressing=addressing) as served:
            team = Team(served, accounts, clock)
            _fill(team)
            yield team
            for browser in team.browsers:
                browser.close()
    finally:
        client.close()


def _fill(team: Team) -> None:
    accounts = team.accounts
    link = accounts.first_link()
    assert link is not None
    accounts.follow_link(link, PASSWORD, name="ada", address=ADDRESS)
    for name, role in (("mia", Role.MEMBER), ("max", Role.MEMBER), ("vic", Role.VIEWER)):
        _, key = accounts.invite(name, role, by="ada")
        accounts.follow_link(key, PASSWORD, name=None, address=ADDRESS)
    for name in ("ada", "mia", "max", "vic"):
        team.tokens[name] = accounts.tokens.make(name, label=f"{name}'s box", by=name)[1]
    revoked, team.tokens["revoked"] = accounts.tokens.make("mia", label="lost laptop", by="mia")
    accounts.tokens.revoke(revoked.id, by="mia")
    team.clock.ahead_s = -100.0
    team.tokens["expired"] = accounts.tokens.make("mia", label="old box", by="mia", valid_s=10)[1]
    team.clock.ahead_s = 0.0
    team.tokens["restricted"] = accounts.tokens.make("ada", label="ci", by="ada", projects=[OPEN])[1]
    team.tokens["unknown"] = "ry_" + os.urandom(16).hex()
    accounts.projects.make_private(PRIVATE, by="ada")
    accounts.projects.set_members(PRIVATE, ["mia"], by="ada")
