from pathlib import Path

import pytest
from sqlalchemy import event, update

from runyard.accounts import Accounts, Role
from runyard.database import Database, schema
from runyard.errors import ConflictError, FormatUnknown, LoginNeeded, NotAllowed, NotFound, UsageError
from tests.accounts.conftest import ADDRESS, PASSWORD, Clock


def test_token_proves_whose_machine_it_is(accounts: Accounts, mia: str) -> None:
    token, secret = accounts.tokens.make(mia, label="box", by=mia)

    caller = accounts.of_token(secret)

    assert secret.startswith("ry_")
    assert len(secret) > 40
    assert (caller.name, caller.role, caller.only, caller.token_id) == (mia, Role.MEMBER, None, token.id)


@pytest.mark.parametrize("token", ["", "ry_", "ry_" + "x" * 43, "\ud800", "x" * 100_000])
def test_unknown_token_is_refused(token: str, accounts: Accounts) -> None:
    with pytest.raises(LoginNeeded, match="does not know the token"):
        accounts.of_token(token)


def test_revoked_token_is_refused_by_name(accounts: Accounts, mia: str) -> None:
    token, secret = accounts.tokens.make(mia, label="box", by=mia)
    accounts.tokens.revoke(token.id, by="ada")

    with pytest.raises(LoginNeeded, match="'box' was revoked on 2027-01-15"):
        accounts.of_token(secret)


def test_what_is_said_about_accounts_survives_a_power_cut(accounts: Accounts, database: Database, mia: str) -> None:
    is_durable = {"2", "on"}
    asked = "PRAGMA synchronous" if database.engine.dialect.name == "sqlite" else "SHOW synchronous_commit"
    levels: list[str] = []
    token, _ = accounts.tokens.make(mia, label="box", by=mia)
    caller = accounts.of_session(accounts.login("ada", PASSWORD, address=ADDRESS)[1])
    event.listen(
        database.engine, "commit", lambda connection: levels.append(str(connection.exec_driver_sql(asked).scalar_one()))
    )

    accounts.tokens.revoke(token.id, by="ada")
    accounts.sessions.end(caller.session)
    accounts.users.set_role(mia, Role.VIEWER, by="ada")
    accounts.users.disable(mia, by="ada")
    accounts.projects.make_private("weld", by="ada")
    accounts.projects.set_members("weld", ["ada"], by="ada")

    assert len(levels) >= 6
    assert sum(level in is_durable for level in levels) == 6  # the others are reads
    assert levels[0] in is_durable


def test_token_expires(accounts: Accounts, mia: str, clock: Clock) -> None:
    _, secret = accounts.tokens.make(mia, label="box", by=mia, valid_s=3600)
    clock.advance(3599)
    accounts.of_token(secret)
    clock.advance(1)

    with pytest.raises(LoginNeeded, match="'box' expired on"):
        accounts.of_token(secret)


def test_token_may_at_most_what_its_owner_may_today(accounts: Accounts, mia: str) -> None:
    _, less = accounts.tokens.make(mia, label="screen", by=mia, role=Role.VIEWER)
    _, same = accounts.tokens.make(mia, label="box", by=mia)
    with pytest.raises(NotAllowed, match="at most member"):
        accounts.tokens.make(mia, label="more", by=mia, role=Role.ADMIN)
    assert accounts.of_token(less).role is Role.VIEWER

    accounts.users.set_role(mia, Role.VIEWER, by="ada")
    assert accounts.of_token(same).role is Role.VIEWER
    accounts.users.set_role(mia, Role.ADMIN, by="ada")
    assert accounts.of_token(same).role is Role.MEMBER


def test_token_can_be_restricted_to_projects(accounts: Accounts, mia: str) -> None:
    token, secret = accounts.tokens.make(mia, label="ci", by=mia, projects=["weld", "seam", "weld"])

    assert token.projects == ("seam", "weld")
    assert accounts.of_token(secret).only == frozenset({"weld", "seam"})


@pytest.mark.parametrize("label", ["", "  ", "x" * 201, "a\0b", "a\nb"])
def test_token_needs_a_label(label: str, accounts: Accounts) -> None:
    with pytest.raises(UsageError, match="label"):
        accounts.tokens.make("ada", label=label, by="ada")


@pytest.mark.parametrize("valid_s", [0, -1, float("nan"), float("inf")])
def test_token_needs_a_time_that_can_be(valid_s: float, accounts: Accounts) -> None:
    with pytest.raises(UsageError, match="100 years"):
        accounts.tokens.make("ada", label="x", by="ada", valid_s=valid_s)


def test_last_use_is_known_to_the_minute(accounts: Accounts, clock: Clock) -> None:
    token, secret = accounts.tokens.make("ada", label="box", by="ada")
    assert token.used_at is None

    accounts.of_token(secret)
    first = accounts.tokens.get(token.id).used_at
    clock.advance(30)
    accounts.of_token(secret)
    assert accounts.tokens.get(token.id).used_at == first
    clock.advance(31)
    accounts.of_token(secret)

    assert accounts.tokens.get(token.id).used_at != first


def test_tokens_are_listed_without_being_told(accounts: Accounts, mia: str) -> None:
    _, one = accounts.tokens.make(mia, label="box", by=mia)
    accounts.tokens.make("ada", label="other", by="ada")

    assert [token.label for token in accounts.tokens.list(mia)] == ["box"]
    assert len(accounts.tokens.list()) == 2
    assert one not in repr(accounts.tokens.list())
    with pytest.raises(NotFound):
        accounts.tokens.revoke("nothing", by="ada")


def test_private_project_is_hidden_from_all_but_members_and_admins(accounts: Accounts, mia: str) -> None:
    _, of_mia = accounts.tokens.make(mia, label="box", by=mia)
    _, of_ada = accounts.tokens.make("ada", label="box", by="ada")
    accounts.projects.make_private("secret", by="ada")

    assert accounts.of_token(of_mia).hidden == {"secret"}
    assert accounts.of_token(of_ada).hidden == frozenset()
    accounts.projects.set_members("secret", [mia], by="ada")
    assert accounts.of_token(of_mia).hidden == frozenset()
    assert accounts.projects.by_project() == {"secret": [mia]}

    accounts.projects.set_members("secret", [], by="ada")
    assert accounts.of_token(of_mia).hidden == {"secret"}
    accounts.projects.open("secret", by="ada")
    assert accounts.of_token(of_mia).hidden == frozenset()


def test_members_are_users_of_private_projects(accounts: Accounts) -> None:
    with pytest.raises(ConflictError, match="not private"):
        accounts.projects.set_members("open", ["ada"], by="ada")
    accounts.projects.make_private("secret", by="ada")
    with pytest.raises(NotFound, match="no account 'nobody'"):
        accounts.projects.set_members("secret", ["nobody"], by="ada")


def test_accounts_survive_a_rebuilt_index(
    accounts: Accounts, database: Database, database_url: str | None, tmp_path: Path
) -> None:
    with database.transaction() as tx:
        tx.execute(
            update(schema.meta).where(schema.meta.c.key.in_(["index_version", "queue_version"])).values(value="0")
        )

    again = Database.open(database_url or tmp_path / "runyard.db")  # drops and makes anew what can be rebuilt

    assert again.needs_reindex
    assert [user.name for user in Accounts(again).users.list()] == ["ada"]
    again.dispose()


def test_accounts_of_another_version_are_refused(accounts: Accounts, database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(update(schema.meta).where(schema.meta.c.key == "accounts_version").values(value="99"))

    with pytest.raises(FormatUnknown, match="accounts_version 99; this Runyard knows 1"):
        Accounts(database)
