"""A database that is garbage: told in a sentence, and made anew by one command."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests import warm
from tests.cli.builders import Yard, environment, runyard
from tests.journeys.conftest import CONFIG_PY, RUN_PY, TRAIN_PY


def replace_by_garbage(database: Path) -> None:
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    database.write_bytes(b"garbage, and more of it " * 400)


def damage_inside(database: Path) -> None:
    """The first page is intact, so that it opens; what lies behind it is not."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    data = bytearray(database.read_bytes())
    data[page_bytes:] = os.urandom(len(data) - page_bytes)
    database.write_bytes(data)


@pytest.mark.parametrize("damage", [replace_by_garbage, damage_inside])
def test_a_damaged_database_is_told_and_one_command_makes_a_new_one(yard: Yard, damage: Callable[[Path], None]) -> None:
    row = yard.run(name="kept", metrics={"loss": [1.0, 0.5]})
    yard.client.close()
    damage(yard.client.home.database)

    told = runyard(yard.path, "runs", "--all")
    mended = runyard(yard.path, "reindex")
    shown = runyard(yard.path, "runs", "--all")

    assert told.returncode == 4
    assert "is damaged" in told.stderr
    assert "`runyard reindex`" in told.stderr
    assert "Traceback" not in told.stderr + mended.stderr
    assert (mended.returncode, shown.returncode) == (0, 0)
    assert "it is kept as" in mended.stderr
    assert row.id in shown.stdout
    assert list(yard.path.glob("runyard.db.damaged-*"))


def test_run_py_tells_of_a_damaged_database_too(yard: Yard, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "run.py").write_text(RUN_PY)
    (project / "runyard.toml").write_text('name = "weld"\n')
    (project / "src" / "train.py").write_text(TRAIN_PY)
    (project / "src" / "config.py").write_text(CONFIG_PY)
    yard.client.close()
    replace_by_garbage(yard.client.home.database)

    done = warm.call(["run.py", "queue"], cwd=project, env=environment(yard.path))

    assert done.returncode == 4
    assert "is damaged" in done.stderr
    assert "Traceback" not in done.stderr
