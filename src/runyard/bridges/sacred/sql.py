"""Sacred's runs in the tables of its SqlObserver, in SQLite, PostgreSQL or whatever SQLAlchemy reaches.

It keeps config, info, output, sources, resources and artifacts, and no metrics. Only plain SELECTs are sent: the types
that Sacred gave its columns would refuse rows that can be read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from runyard.bridges.sacred.names import file_name
from runyard.bridges.sacred.originals import Original, StoredFile, Unreadable
from runyard.database.postgresql import masked
from runyard.errors import MissingExtra, NotFound, ServiceError, UsageError

_MAGIC = b"SQLite format 3\0"
_CONNECT_S = 10
_FILES = """
    SELECT 'sources/' AS prefix, 'source' AS kind, s.source_id AS id, s.filename AS name FROM source s
    JOIN experiments_sources e ON e.source_id = s.source_id WHERE e.experiment_id = :experiment
    UNION ALL
    SELECT 'resources/', 'resource', r.resource_id, r.filename FROM resource r
    JOIN runs_resources u ON u.resource_id = r.resource_id WHERE u.run_id = :run
    UNION ALL SELECT '', 'artifact', artifact_id, filename FROM artifact WHERE run_id = :run ORDER BY 2, 3
"""
_DEPENDENCIES = """
    SELECT d.name, d.version FROM dependency d JOIN experiments_dependencies e ON e.dependency_id = d.dependency_id
    WHERE e.experiment_id = :experiment ORDER BY d.name
"""
_REPOSITORIES = """
    SELECT r.url, r."commit", r.dirty FROM repository r
    JOIN experiments_repositories e ON e.repository_id = r.repository_id WHERE e.experiment_id = :experiment
"""

Row = Mapping[str, Any]


def is_sqlite(path: Path) -> bool:
    """Whether a file is a database of SQLite."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


class SqlReader:
    """The runs of one database."""

    def __init__(self, source: str) -> None:
        """Look what there is.

        Args:
            source: the address that was given to SqlObserver, such as sqlite:///runs.db or postgresql://host/lab.

        Raises:
            UsageError: the address is none, or needs a driver that is not installed.
            MissingExtra: psycopg is needed.
            NotFound: there is no such file, or there are no runs of Sacred.
            ServiceError: nobody answers, or lets nobody of this name in.
        """
        self.problems: list[str] = []
        self._shown = masked(source)
        url, self._place = _address(source)
        self._engine = _engine(url, self._shown)
        try:
            self._ids = [each["id"] for each in self._rows("SELECT id FROM run ORDER BY id")]
        except ServiceError:
            raise
        except DBAPIError as problem:
            self.close()
            raise NotFound(f"{self._shown} holds no runs of Sacred's SqlObserver: {_told(problem)}.") from None

    def count(self) -> int:
        return len(self._ids)

    def runs(self) -> Iterator[Original]:
        for number in self._ids:
            try:
                (row,) = self._rows("SELECT * FROM run WHERE id = :id", id=number)
                yield self._original(row)
            except (DBAPIError, ValueError) as problem:
                self.problems.append(f"{self._shown}, table run, row {number} cannot be read: {_told(problem)}.")

    def close(self) -> None:
        self._engine.dispose()

    def _original(self, row: Row) -> Original:
        run_id = str(row["run_id"])
        place = f"{self._shown}, run {run_id}"
        problems: list[str] = []
        trace = row.get("fail_trace")
        document = {
            **{name: row.get(name) for name in ("command", "status", "result", "captured_out")},
            **{name: row.get(name) for name in ("start_time", "heartbeat", "stop_time")},
            "_id": int(run_id) if run_id.isdecimal() else run_id,
            "config": _json(row, "config", place, problems),
            "info": _json(row, "info", place, problems),
            "meta": {
                "comment": row.get("comment"),
                "priority": row.get("priority"),
                "queue_time": row.get("queue_time"),
            },
            # lines that end with a line break were joined by another one
            "fail_trace": trace.replace("\n\n", "\n") if isinstance(trace, str) else None,
            "experiment": self._experiment(row.get("experiment_id")),
            "host": self._host(row.get("host_id")),
        }
        found = self._rows(_FILES, experiment=row.get("experiment_id"), run=run_id)
        return Original(
            source=f"sacred:sql:{self._place}/{quote(run_id, safe='')}",
            place=place,
            document=document,
            files=lambda: self._files(found),
            problems=problems,
        )

    def _experiment(self, number: Any) -> dict[str, Any]:
        for row in self._rows(
            "SELECT name, base_dir FROM experiment WHERE experiment_id = :experiment", experiment=number
        ):
            pairs = self._rows(_DEPENDENCIES, experiment=number)
            repositories = [dict(each) for each in self._rows(_REPOSITORIES, experiment=number)]
            return {
                **row,
                "dependencies": [f"{each['name']}=={each['version']}" for each in pairs],
                "repositories": [{**each, "dirty": bool(each["dirty"])} for each in repositories],
            }
        return {}

    def _host(self, number: Any) -> dict[str, Any]:
        for row in self._rows("SELECT * FROM host WHERE host_id = :host", host=number):
            names = ("hostname", "cpu", "python_version")
            return {**{name: row.get(name) for name in names}, "os": [row.get("os"), row.get("os_info")]}
        return {}

    def _files(self, found: Sequence[Row]) -> Iterator[StoredFile]:
        for each in found:
            name = str(each["name"])
            kept = Path(name).name if each["kind"] == "resource" else name
            yield StoredFile(each["prefix"] + file_name(kept), partial(self._content, each["kind"], each["id"]))

    def _content(self, kind: str, number: int) -> bytes:
        try:
            rows = self._rows(f"SELECT content FROM {kind} WHERE {kind}_id = :number", number=number)
        except DBAPIError as problem:
            raise Unreadable(f"its content cannot be read ({problem.orig})") from None
        content = rows[0]["content"] if rows else None
        if content is None:
            raise Unreadable("its content is not in the database")
        return content.encode() if isinstance(content, str) else bytes(content)

    def _rows(self, statement: str, **values: Any) -> list[Row]:
        try:
            with self._engine.connect() as connection:
                return [dict(row) for row in connection.execute(text(statement), values).mappings()]
        except OperationalError as problem:
            if self._engine.dialect.name == "sqlite":  # which calls a missing table so
                raise
            raise ServiceError(f"{self._shown} cannot be used: {_told(problem)}.") from None


def _address(source: str) -> tuple[URL, str]:
    """Where to connect to, and a name for it that holds no password."""
    try:
        url = make_url(source)
    except (ArgumentError, ValueError):
        raise UsageError(
            f"'{masked(source)}' is no address of a database. It looks like sqlite:///runs.db or postgresql://host/lab."
        ) from None
    if not url.database:
        raise UsageError(f"'{masked(source)}' names no database, as sqlite:///runs.db and postgresql://host/lab do.")
    if url.get_backend_name() == "sqlite":
        path = Path(url.database).absolute()
        if not path.is_file():
            raise NotFound(f"There is no file {path}. An SQLite file is named as in sqlite:///runs.db.")
        reading = {"mode": "ro", "uri": "true"}
        return URL.create("sqlite", database=f"file:{quote(str(path))}", query=reading), str(path.resolve())
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "postgresql":
        url = url.update_query_dict({"connect_timeout": url.query.get("connect_timeout", str(_CONNECT_S))})
    host = url.host or url.query.get("host") or ""
    return url, f"{url.get_backend_name()}://{host}{f':{url.port}' if url.port else ''}/{url.database}"


def _engine(url: URL, shown: str) -> Engine:
    try:
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _accept_any_text)
        return engine
    except NoSuchModuleError:
        raise UsageError(f"'{shown}' names a database that SQLAlchemy does not know: '{url.drivername}'.") from None
    except ImportError as problem:
        if url.get_backend_name() == "postgresql":
            raise MissingExtra(extra="postgresql", purpose=f"Reading {shown}") from None
        raise UsageError(
            f"Reading {shown} needs the Python module {problem.name}, which is not installed here."
        ) from None
    except SQLAlchemyError as problem:
        raise UsageError(f"'{shown}' is no address of a database: {problem}.") from None


def _told(problem: Exception) -> str:
    """The first line of what a driver says, or of any other problem."""
    return str(problem.orig if isinstance(problem, DBAPIError) else problem).splitlines()[0]


def _accept_any_text(connection: Any, _record: object) -> None:
    connection.text_factory = _decoded


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _json(row: Row, name: str, place: str, problems: list[str]) -> dict[str, Any]:
    try:
        found = json.loads(row.get(name) or "{}")
    except (ValueError, TypeError, RecursionError) as problem:
        problems.append(f"{place}: its {name} cannot be read: {problem}.")
        return {}
    return found if isinstance(found, dict) else {}
