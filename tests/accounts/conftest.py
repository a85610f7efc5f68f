from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.accounts import Accounts, Role
from runyard.database import Database

PASSWORD = "correct horse battery"
ADDRESS = "192.0.2.7"


class Clock:
    """A time that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(database_url: str | None, tmp_path: Path) -> Iterator[Database]:
    database = Database.open(database_url or tmp_path / "runyard.db")
    yield database
    database.dispose()


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    """Accounts with an admin, `ada`, who has a password."""
    accounts = Accounts(database, clock=clock)
    link = accounts.first_link()
    assert link is not None
    accounts.follow_link(link, PASSWORD, name="ada", address=ADDRESS)
    return accounts


@pytest.fixture
def mia(accounts: Accounts) -> str:
    """A member with the usual password."""
    _, link = accounts.invite("mia", Role.MEMBER, by="ada")
    accounts.follow_link(link, PASSWORD, name=None, address=ADDRESS)
    return "mia"
