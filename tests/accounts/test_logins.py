import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, update

from runyard.accounts import Accounts, Role, attempts, passwords, sessions
from runyard.accounts.attempts import network
from runyard.accounts.links import LIFETIMES_S, Kind
from runyard.database import Database, schema
from runyard.errors import ConflictError, LoginNeeded, NotFound, TooManyAttempts, UsageError
from tests.accounts.conftest import ADDRESS, PASSWORD, Clock


def test_first_link_makes_an_admin_once(database: Database, clock: Clock) -> None:
    accounts = Accounts(database, clock=clock)
    link = accounts.first_link()
    assert link is not None

    user, session = accounts.follow_link(link, PASSWORD, name="Ada", address=ADDRESS)

    assert (user.name, user.role) == ("ada", Role.ADMIN)
    assert accounts.of_session(session).role is Role.ADMIN
    assert accounts.first_link() is None
    with pytest.raises(LoginNeeded, match="used already"):
        accounts.follow_link(link, PASSWORD, name="eve", address=ADDRESS)


def test_newer_first_link_replaces_the_older(database: Database) -> None:
    accounts = Accounts(database)
    old, new = accounts.first_link(), accounts.first_link()
    assert old is not None
    assert new is not None

    with pytest.raises(LoginNeeded, match="newer one has replaced it"):
        accounts.follow_link(old, PASSWORD, name="eve", address=ADDRESS)
    accounts.follow_link(new, PASSWORD, name="ada", address=ADDRESS)


@pytest.mark.parametrize("name", ["", "a b", "runyard", "-x", "x" * 65, "../etc", "ä"])
def test_name_that_cannot_be_one_spends_no_link(name: str, database: Database) -> None:
    accounts = Accounts(database)
    link = accounts.first_link()
    assert link is not None

    with pytest.raises(UsageError, match="cannot be the name"):
        accounts.follow_link(link, PASSWORD, name=name, address=ADDRESS)

    accounts.follow_link(link, PASSWORD, name="ada", address=ADDRESS)


@pytest.mark.parametrize(
    ("password", "why"), [("short", "at least 10"), ("x" * 1001, "at most 1,000"), ("Theodora-1", "the name")]
)
def test_weak_password_is_refused(password: str, why: str, accounts: Accounts) -> None:
    _, link = accounts.invite("theodora-1", Role.VIEWER, by="ada")

    with pytest.raises(UsageError, match=why):
        accounts.follow_link(link, password, name=None, address=ADDRESS)


def test_links_grow_too_old(accounts: Accounts, clock: Clock) -> None:
    _, link = accounts.invite("mia", Role.MEMBER, by="ada")
    clock.advance(LIFETIMES_S[Kind.INVITATION])

    with pytest.raises(LoginNeeded, match="too old"):
        accounts.follow_link(link, PASSWORD, name=None, address=ADDRESS)


def test_one_link_makes_one_login_however_many_follow_it_at_once(accounts: Accounts) -> None:
    _, link = accounts.invite("mia", Role.MEMBER, by="ada")

    def follow(number: int) -> bool:
        try:
            accounts.follow_link(link, f"{PASSWORD} {number}", name=None, address=ADDRESS)
        except LoginNeeded:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(follow, range(4))) == 1


def test_name_and_password_begin_a_session(accounts: Accounts, mia: str) -> None:
    user, session = accounts.login(" Mia ", PASSWORD, address=ADDRESS)

    assert user.name == mia
    caller = accounts.of_session(session)
    assert (caller.name, caller.role) == (mia, Role.MEMBER)
    accounts.logout(caller)
    with pytest.raises(LoginNeeded, match="not logged in"):
        accounts.of_session(session)


@pytest.mark.parametrize("name", ["mia", "nobody", "../x", "", "invited"])
def test_nobody_learns_which_names_exist(name: str, accounts: Accounts, mia: str) -> None:
    accounts.invite("invited", Role.VIEWER, by="ada")

    with pytest.raises(LoginNeeded, match=r"^Name or password is wrong\.$"):
        accounts.login(name, "wrong password", address=ADDRESS)


def test_too_many_attempts_on_a_name_have_to_wait(accounts: Accounts, mia: str, clock: Clock) -> None:
    for number in range(attempts.BY_NAME):
        with pytest.raises(LoginNeeded):
            accounts.login(mia, f"wrong password {number}", address=f"192.0.2.{number}")
    clock.advance(60)

    with pytest.raises(TooManyAttempts, match="14 minutes") as problem:
        accounts.login(mia, PASSWORD, address=ADDRESS)

    assert problem.value.retry_after_s == attempts.WINDOW_S - 60
    accounts.login("ada", PASSWORD, address=ADDRESS)  # others do not wait
    clock.advance(problem.value.retry_after_s)
    accounts.login(mia, PASSWORD, address=ADDRESS)


def test_attempts_from_an_address_are_limited_whatever_the_names(accounts: Accounts, database: Database) -> None:
    second = Accounts(database, clock=accounts.clock)  # another server process
    for number in range(attempts.BY_ADDRESS):
        (accounts, second)[number % 2].attempts.charge(name=f"n{number}", address="2001:db8::1")

    with pytest.raises(TooManyAttempts):
        accounts.attempts.charge(name="n", address="2001:db8::ffff:2")
    accounts.attempts.charge(name="n", address="2001:db8:1::1")


def test_attempts_at_once_are_all_counted(accounts: Accounts) -> None:
    def charge(_: int) -> bool:
        try:
            accounts.attempts.charge(name="mia", address=ADDRESS)
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(charge, range(30))) == attempts.BY_NAME


def test_right_password_forgives_what_was_mistyped(accounts: Accounts, mia: str) -> None:
    for _ in range(3):
        for _ in range(attempts.BY_NAME - 1):
            accounts.attempts.charge(name=mia, address=ADDRESS)
        accounts.login(mia, PASSWORD, address="192.0.2.8")


def test_an_address_stands_for_its_network() -> None:
    assert network("2001:db8:0:1::7") == network("2001:db8:0:1:ffff::") != network("2001:db8:0:2::7")
    assert network("::ffff:192.0.2.7") == network("192.0.2.7") == "192.0.2.7"
    assert network("somewhere") == "somewhere"


def test_session_ends_when_nobody_comes(accounts: Accounts, clock: Clock) -> None:
    _, session = accounts.login("ada", PASSWORD, address=ADDRESS)
    clock.advance(sessions.IDLE_S - 1)
    accounts.of_session(session)
    clock.advance(sessions.IDLE_S - 1)
    accounts.of_session(session)
    clock.advance(sessions.IDLE_S)

    with pytest.raises(LoginNeeded, match="expired"):
        accounts.of_session(session)


def test_session_ends_after_a_month_however_busy(accounts: Accounts, clock: Clock) -> None:
    _, session = accounts.login("ada", PASSWORD, address=ADDRESS)
    for _ in range(int(sessions.LONGEST_S / 86_400) - 1):
        clock.advance(86_400)
        accounts.of_session(session)
    clock.advance(86_400)

    with pytest.raises(LoginNeeded):
        accounts.of_session(session)


def test_new_password_ends_all_sessions_but_the_new_one(accounts: Accounts) -> None:
    _, old = accounts.login("ada", PASSWORD, address=ADDRESS)

    with pytest.raises(LoginNeeded):
        accounts.change_password("ada", "wrong", "another password", address=ADDRESS)
    new = accounts.change_password("ada", PASSWORD, "another password", address=ADDRESS)

    assert accounts.of_session(new).name == "ada"
    with pytest.raises(LoginNeeded):
        accounts.of_session(old)
    with pytest.raises(LoginNeeded):
        accounts.login("ada", PASSWORD, address=ADDRESS)


def test_reset_link_gives_a_new_password(accounts: Accounts, mia: str) -> None:
    link = accounts.reset(mia, by="ada")
    assert accounts.look_at_link(link, address=ADDRESS).kind is Kind.RESET
    accounts.login(mia, PASSWORD, address=ADDRESS)  # the old one is good until then

    accounts.follow_link(link, "another password", name="eve", address=ADDRESS)

    accounts.login(mia, "another password", address=ADDRESS)
    with pytest.raises(NotFound):
        accounts.reset("nobody", by="ada")


def test_disabled_user_is_out_at_once(accounts: Accounts, mia: str) -> None:
    _, session = accounts.login(mia, PASSWORD, address=ADDRESS)
    _, token = accounts.tokens.make(mia, label="box", by=mia)
    link = accounts.reset(mia, by="ada")

    accounts.users.disable(mia, by="ada")

    for refused in (
        lambda: accounts.of_session(session),
        lambda: accounts.of_token(token),
        lambda: accounts.login(mia, PASSWORD, address=ADDRESS),
        lambda: accounts.follow_link(link, PASSWORD, name=None, address=ADDRESS),
    ):
        with pytest.raises(LoginNeeded):
            refused()
    accounts.users.enable(mia, by="ada")
    assert accounts.of_token(token).name == mia


def test_last_admin_stays(accounts: Accounts, mia: str) -> None:
    with pytest.raises(ConflictError, match="last admin"):
        accounts.users.disable("ada", by="ada")
    with pytest.raises(ConflictError, match="last admin"):
        accounts.users.set_role("ada", Role.MEMBER, by="ada")

    accounts.users.set_role(mia, Role.ADMIN, by="ada")
    accounts.users.set_role("ada", Role.MEMBER, by=mia)

    assert accounts.users.get("ada").role is Role.MEMBER


def test_no_secret_is_kept(accounts: Accounts, mia: str, database: Database) -> None:
    _, session = accounts.login(mia, PASSWORD, address=ADDRESS)
    _, token = accounts.tokens.make(mia, label="box", by=mia)
    link = accounts.reset(mia, by="ada")

    with database.read() as tx:
        everything = repr([tx.execute(select(table)).all() for table in schema.ACCOUNTS_TABLES])

    assert "$argon2id$" in everything
    for secret in (session, token, link, PASSWORD):
        assert secret not in everything
    assert "argon2" not in repr(accounts.audit.read())


def test_outdated_hash_is_renewed_at_login(accounts: Accounts, database: Database) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with database.transaction() as tx:
        tx.execute(update(schema.users).values(password_hash=weak))

    accounts.login("ada", PASSWORD, address=ADDRESS)

    kept = accounts.users.password_hash("ada")
    assert kept is not None
    assert not passwords.is_outdated(kept)


def test_trail_tells_who_did_what(accounts: Accounts, mia: str) -> None:
    accounts.users.set_role(mia, Role.VIEWER, by="ada")

    newest = accounts.audit.read(limit=1)[0]

    assert (newest.who, newest.what, newest.subject, newest.detail) == ("ada", "user.role", mia, "member to viewer")
    assert accounts.audit.count() == len(accounts.audit.read(limit=1000)) > 4


def test_a_name_is_taken_once(accounts: Accounts, mia: str) -> None:
    with pytest.raises(ConflictError, match="There is an account 'mia' already"):
        accounts.invite("MIA", Role.VIEWER, by="ada")

    assert accounts.users.get(mia).role is Role.MEMBER


def test_only_tests_hash_passwords_with_little_work() -> None:
    hashed = "from runyard.accounts import passwords; print(passwords.hashed('correct horse battery'))"
    printed = subprocess.run([sys.executable, "-c", hashed], capture_output=True, text=True, check=True).stdout
    source = Path(passwords.__file__).parents[1]
    callers = [path.name for path in source.rglob("*.py") if "weaken(" in path.read_text()]

    assert printed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert callers == ["passwords.py"]
