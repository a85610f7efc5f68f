"""From the first link to the last token, in a real browser, at a server as a team has it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.cli.running import LINK, Running, running
from tests.dashboard.conftest import Visit
from tests.server import demo_home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow]

PASSWORD = "correct horse battery"
REFUSED = {"Stop", "Cancel", "Hold", "Release", "Retry", "Delete", "Restore", "Reserve", "priority", "↑", "↓"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server that was started for the first time."""
    demo_home.make(tmp_path / "home", steps=40).close()
    with running(tmp_path / "home", lines=3) as server:
        yield server


@pytest.fixture
def other(browser: "Browser") -> Iterator[Visit]:
    """The browser of somebody else."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    found = Visit(context.new_page())
    yield found
    context.close()
    assert found.wrong == []


def test_a_team_is_set_up_and_a_viewer_only_looks(server: Running, visit: Visit, other: Visit) -> None:
    admin, viewer = visit.page, other.page
    link = LINK.search(server.lines[2])
    assert link

    admin.goto(link[0])
    admin.get_by_label("Name", exact=False).fill("ada")
    _choose_password(admin)
    admin.locator(".row.run, .row.group").first.wait_for()
    assert link[2] not in admin.url

    # logging out and in again
    admin.get_by_role("button", name="ada").click()
    admin.get_by_role("button", name="Log out").click()
    _log_in(admin, "ada", "wrong password")
    admin.get_by_text("Name or password is wrong.").wait_for()
    _expect_refusals(visit, "401")
    _log_in(admin, "ada", PASSWORD)
    admin.locator(".row.run, .row.group").first.wait_for()

    # a token
    admin.goto(server.url + "/#/account")
    admin.get_by_label("What the token is for").fill("ws3")
    admin.get_by_role("button", name="Make a token").click()
    token = admin.locator(".secret code").inner_text()
    assert _status(server, token) == 200

    # an invitation
    admin.goto(server.url + "/#/admin")
    admin.get_by_label("Name of somebody new").fill("vic")
    admin.get_by_label("Role of somebody new").select_option("viewer")
    admin.get_by_role("button", name="Invite").click()
    invitation = admin.locator(".secret code").inner_text()
    viewer.goto(invitation)
    viewer.get_by_role("heading", name="Welcome, vic").wait_for()
    _choose_password(viewer)
    viewer.locator(".row.run, .row.group").first.wait_for()
    viewer.get_by_role("button", name="vic").click()
    assert viewer.get_by_role("link", name="Accounts of the team").count() == 0

    # a viewer finds no button that would be refused, and keys do nothing either
    viewer.goto(server.url + '/#/p/paint-check?q=state+%3D%3D+"RUNNING"')
    viewer.reload()
    bar = viewer.get_by_role("toolbar", name="Selected runs")
    bar.get_by_text("only to look at").wait_for()
    assert bar.get_by_role("button").all_inner_texts() == ["Clear"]
    viewer.locator(".row.run .name").first.dblclick()
    assert viewer.locator(".editor").count() == 0
    viewer.locator(".row.run.selected").wait_for()
    viewer.keyboard.press("Delete")
    viewer.get_by_text("You may look at everything here", exact=False).first.wait_for()
    for place, word in (("queue", "Waiting"), ("disk", "By project"), ("morning", "What failed")):
        viewer.goto(f"{server.url}/#/{place}")
        if place == "morning":  # soon after midnight nothing has failed since yesterday evening
            viewer.get_by_role("button", name="a week").click()
        viewer.get_by_role("heading", name=word, exact=False).first.wait_for()
        names = viewer.get_by_role("main").get_by_role("button").all_inner_texts()
        assert [name for name in names if name in REFUSED or name.startswith("Pause")] == [], place
    viewer.goto(server.url + "/#/p/paint-check")

    # a private project is gone for others
    admin.get_by_label("Project", exact=True).select_option("weld-seam")
    admin.get_by_role("button", name="Make it private").click()
    admin.locator(".list-row", has_text="weld-seam").get_by_role("button", name="Open to all").wait_for()
    viewer.reload()
    viewer.locator("button.project-switch").click()
    viewer.locator(".projects .menu-item", has_text="paint-check").wait_for()
    assert viewer.locator(".projects .menu-item", has_text="weld-seam").count() == 0

    # revoked
    revoke = admin.get_by_role("button", name="Revoke ws3")
    revoke.click()
    revoke.click()
    admin.get_by_text("is revoked", exact=False).first.wait_for()
    assert _status(server, token) == 401

    # shut out: the page of the viewer asks for a name again
    admin.get_by_role("button", name="Shut out vic").click()
    admin.get_by_text("vic is shut out.").wait_for()
    viewer.goto(server.url + "/#/queue")  # the page asks, is refused, and begins anew by itself
    viewer.get_by_role("button", name="Log in").wait_for()
    other.wrong.clear()  # what was asked for meanwhile was refused

    admin.locator(".trail .list-row", has_text="user.disable").wait_for()
    assert PASSWORD not in admin.content()


def test_a_link_that_was_used_says_so(server: Running, visit: Visit) -> None:
    link = LINK.search(server.lines[2])
    assert link
    body = {"link": link[2], "password": PASSWORD, "name": "ada"}
    httpx.post(f"{server.url}/api/v1/links/follow", json=body, headers={"X-Runyard": "1"}, trust_env=False)

    visit.page.goto(link[0])

    visit.page.get_by_text("This link was used already").wait_for()
    _expect_refusals(visit, "401")
    visit.page.get_by_role("button", name="To the login").click()
    visit.page.get_by_label("Password").wait_for()


def _choose_password(page: "Page") -> None:
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Choose this password").click()


def _log_in(page: "Page", name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def _expect_refusals(visit: Visit, status: str) -> None:
    """Chromium tells every refused request in its console."""
    assert visit.wrong
    assert all(status in text for text in visit.wrong), visit.wrong
    visit.wrong.clear()


def _status(server: Running, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{server.url}/api/v1/runs", headers=headers, trust_env=False, timeout=30).status_code
