"""Reaching PostgreSQL, and what is said where that does not work."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import OperationalError

from runyard.database import Database, explain
from runyard.database.postgresql import described, masked
from runyard.database.schema import runs, workers
from runyard.errors import DatabaseUnavailable, UsageError
from tests.database.test_connection import a_worker
from tests.postgresql import TEMPLATE, PostgreSQL, name_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://anna:secret@db:5432/yard", "postgresql://anna:***@db:5432/yard"),
        ("postgresql://anna:se@cr:et/@db/yard", "postgresql://anna:***@db/yard"),
        ("postgresql://db/yard?user=anna&password=secret&x=1", "postgresql://db/yard?user=anna&password=***&x=1"),
        ("postgresql://anna@db/yard", "postgresql://anna@db/yard"),
        ("/home/anna/runyard.db", "/home/anna/runyard.db"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://anna:secret@db:port/yard", r"'postgresql://anna:\*\*\*@db:port/yard' is no URL of a database"),
        ("postgresql://anna:secret@db", r"postgresql://anna:\*\*\*@db names no database. It looks like"),
        ("mysql://anna:secret@db/yard", r"'mysql://anna:\*\*\*@db/yard' is no database that Runyard knows"),
    ],
)
def test_a_wrong_url_is_told_with_what_it_should_be(url: str, said: str) -> None:
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")
    with pytest.raises(UsageError, match=said):
        Database.open(url)


def test_a_server_that_is_away_is_told_in_one_sentence_with_what_to_do() -> None:
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")
    with pytest.raises(DatabaseUnavailable) as caught:
        Database.open("postgresql://anna:secret@127.0.0.1:1/yard")

    assert str(caught.value) == (
        "The database postgresql://anna:***@127.0.0.1:1/yard does not answer: Connection refused. "
        "Check host and port, and that PostgreSQL runs there; nothing is lost meanwhile."
    )


def test_a_user_who_is_not_let_in_is_told_what_the_server_said(postgresql_server: PostgreSQL) -> None:
    url = postgresql_server.url("nowhere").replace("runyard@", "anna:secret@")

    with pytest.raises(UsageError, match=r'does not let us in: role "anna" does not exist. Check user, password') as it:
        Database.open(url)

    assert "secret" not in str(it.value)


def test_a_database_that_does_not_exist_is_told(postgresql_server: PostgreSQL) -> None:
    with pytest.raises(UsageError, match='database "nowhere" does not exist'):
        Database.open(postgresql_server.url("nowhere"))


def test_without_psycopg_the_line_is_given_that_installs_it() -> None:
    code = (
        "import sys\n"
        "sys.modules['psycopg'] = None  # as if it were not installed\n"
        "from runyard.database import Database\n"
        "from runyard.errors import MissingExtra\n"
        "try:\n"
        "    Database.open('postgresql://anna:secret@db/yard')\n"
        "except MissingExtra as problem:\n"
        "    print(problem)\n"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said == (
        "The database postgresql://anna:***@db/yard needs an optional package. "
        "Install it with: pip install 'runyard[postgresql]'\n"
    )


def test_a_home_on_sqlite_loads_nothing_of_postgresql(tmp_path: Path) -> None:
    code = (
        "import sys; from runyard.client import open_client; open_client(sys.argv[1]).refresh()\n"
        "print([name for name in sys.modules if 'psycopg' in name or name.endswith('dialects.postgresql')])"
    )

    loaded = subprocess.run([sys.executable, "-c", code, str(tmp_path / "home")], capture_output=True, text=True).stdout

    assert loaded == "[]\n"


@pytest.fixture
def database(postgresql_server: PostgreSQL) -> Iterator[Database]:
    with postgresql_server.database(TEMPLATE) as url:
        opened = Database.open(url)
        yield opened
        opened.dispose()


def test_a_plain_url_is_opened_with_psycopg_3(database: Database) -> None:
    assert database.engine.dialect.driver == "psycopg"
    assert database.place.startswith("postgresql://runyard@/")
    assert described(database.place).startswith("PostgreSQL 1")


def test_what_nobody_said_of_transactions_is_set_for_both_kinds(database: Database) -> None:
    with database.read() as tx:
        assert tx.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
        assert tx.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        assert tx.exec_driver_sql("SHOW transaction_read_only").scalar() == "off"


def test_connections_that_the_server_dropped_are_replaced(database: Database, postgresql_server: PostgreSQL) -> None:
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(runs)) == 0
    end_connections(database, postgresql_server)

    with database.transaction() as tx:
        tx.execute(insert(workers).values(a_worker(1)))

    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(workers)) == 1


def test_a_transaction_that_loses_its_server_is_undone_and_explained(
    database: Database, postgresql_server: PostgreSQL
) -> None:
    def lose_the_server() -> None:
        with database.transaction() as tx:
            tx.execute(insert(workers).values(a_worker(1)))
            end_connections(database, postgresql_server)
            tx.execute(insert(workers).values(a_worker(2)))

    with pytest.raises(OperationalError) as caught:
        lose_the_server()

    assert "Look whether PostgreSQL runs there. Nothing is lost" in explain(caught.value)
    with database.read() as tx:
        assert tx.execute(select(workers)).all() == []


def end_connections(database: Database, server: PostgreSQL) -> None:
    """As a restart of the server does."""
    server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name_of(database.place)}'"
    )
