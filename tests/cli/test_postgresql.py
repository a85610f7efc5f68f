"""Commands in a home whose database is PostgreSQL."""

from pathlib import Path

import pytest

from runyard.records import RunState
from tests.cli.builders import Yard, runyard
from tests.postgresql import PostgreSQL, use_database


def test_a_home_moves_to_postgresql_and_back_without_losing_a_run(yard: Yard, postgresql_server: PostgreSQL) -> None:
    yard.run(name="done", metrics={"loss": [1.0, 0.5]})
    yard.run(name="waiting", state=RunState.QUEUED)
    yard.client.close()
    before = runyard(yard.path, "runs", "--json").stdout
    assert '"waiting"' in before

    with postgresql_server.database() as url:
        use_database(yard.path, url)
        there = runyard(yard.path, "runs", "--json").stdout
        checked = runyard(yard.path, "doctor").stdout
        rebuilt = runyard(yard.path, "reindex")
    (yard.path / "database.url").unlink()

    assert there == before
    assert f": {url}" in checked
    assert "ok    database" in checked
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert runyard(yard.path, "runs", "--json").stdout == before


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        (
            "postgresql://anna:secret@127.0.0.1:1/yard",
            4,
            "127.0.0.1:1/yard does not answer: Connection refused",
        ),
        ("postgresql://anna:secret@db", 2, "anna:***@db names no database"),
        ("oracle://anna:secret@db/yard", 2, "'oracle://anna:***@db/yard' is no database that Runyard knows"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(
    tmp_path: Path, url: str, code: int, said: str
) -> None:
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")
    use_database(tmp_path, url)

    listed, checked = runyard(tmp_path, "runs"), runyard(tmp_path, "doctor")

    assert listed.returncode == code
    assert said in listed.stderr
    assert said in checked.stdout
    assert checked.returncode == 1
    assert "secret" not in listed.stderr + listed.stdout + checked.stdout + checked.stderr
