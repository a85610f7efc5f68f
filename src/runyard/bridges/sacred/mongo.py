"""Sacred's runs in MongoDB, of all versions of its schema. Nothing is ever written there."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gridfs
from bson import ObjectId
from bson.errors import BSONError
from gridfs.errors import GridFSError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
from pymongo.uri_parser import parse_uri

from runyard.bridges.sacred.names import file_name
from runyard.bridges.sacred.originals import Original, Series, StoredFile, Unreadable
from runyard.errors import NotFound, ServiceError, UsageError

TIMEOUT_MS = 10_000
_RUNS = re.compile(r"^(?P<prefix>.*[._])?runs$")
_MACHINERY = re.compile(r"\s*\(configured timeouts|, Timeout: |, Topology Description: |, full error: ")
_AT_ONCE_BYTES = 8 << 20  # larger files go through one on the disk
_NOT_SACRED = ("admin", "config", "local")

Document = dict[str, Any]


def connect(uri: str) -> "MongoClient[Document]":
    """A client for a database; nothing is sent yet.

    Raises:
        UsageError: the address is none.
    """
    try:
        own = parse_uri(uri)["options"]
        waits: dict[str, Any] = {} if "serverSelectionTimeoutMS" in own else {"serverSelectionTimeoutMS": TIMEOUT_MS}
        # dates beyond the years of `datetime` come as DatetimeMS, and one bad date does not cost the document
        return MongoClient(uri, appname="runyard", datetime_conversion="DATETIME_AUTO", **waits)
    except (InvalidURI, ConfigurationError, ValueError) as problem:
        raise UsageError(f"'{without_password(uri)}' is no address of a MongoDB: {problem}.") from None


def without_password(uri: str) -> str:
    """The address without what stands before the @."""
    return re.sub(r"//[^/]*@", "//", uri)


def database_named(uri: str) -> str:
    """The database that an address names, `sacred` if none: what Sacred itself takes.

    Raises:
        UsageError: the address is none.
    """
    try:
        return str(parse_uri(uri)["database"] or "sacred")
    except (InvalidURI, ConfigurationError, ValueError) as problem:
        raise UsageError(f"'{without_password(uri)}' is no address of a MongoDB: {problem}.") from None


def database_of(client: "MongoClient[Document]", uri: str) -> str:
    """The database that an address means: the one it names, else the only one that holds runs of Sacred.

    Raises:
        UsageError: none or several hold runs.
        ServiceError: nobody answers.
    """
    try:
        named = parse_uri(uri)["database"]
        if named:
            return str(named)
        found = [
            name
            for name in client.list_database_names()
            if name not in _NOT_SACRED and any(map(_RUNS.match, client[name].list_collection_names()))
        ]
    except PyMongoError as problem:
        raise away(uri, problem) from None
    if len(found) == 1:
        return found[0]
    place = without_password(uri).rstrip("/")
    if not found:
        raise UsageError(f"No database of {place} holds runs of Sacred. Name one: {place}/NAME")
    raise UsageError(
        f"Several databases of {place} hold runs: {', '.join(sorted(found))}. Name one: {place}/{found[0]}"
    )


def away(uri: str, problem: Exception) -> ServiceError:
    """What to say when a MongoDB cannot be used."""
    return ServiceError(f"{without_password(uri)} cannot be used: {why(problem)}")


def why(problem: Exception) -> str:
    """A driver's message without its settings and the state of its machinery, ended by a full stop."""
    told = _MACHINERY.split(str(problem), maxsplit=1)[0]
    return f"{told[:300].rstrip('. ')}."


class MongoReader:
    """The runs of one database."""

    def __init__(self, uri: str, *, prefix: str | None = None) -> None:
        """Look what there is.

        Args:
            prefix: only the collections `<prefix>_runs` and `<prefix>_metrics`; None: all that hold runs.

        Raises:
            UsageError: the address is none, or names no database.
            NotFound: there are no runs.
            ServiceError: nobody answers, or lets nobody of this name in.
        """
        self.problems: list[str] = []
        self._uri = uri
        self._client = connect(uri)
        self._spool = tempfile.TemporaryDirectory(prefix="runyard-sacred-")
        try:
            name = database_of(self._client, uri)
            self._database = self._client[name]
            self._place = f"{hosts_of(uri)}/{name}"
            self._ids = self._look(prefix)
        except PyMongoError as problem:
            self.close()
            raise away(uri, problem) from None
        except BaseException:
            self.close()
            raise

    def count(self) -> int:
        return sum(map(len, self._ids.values()))

    def runs(self) -> Iterator[Original]:
        for name, ids in self._ids.items():
            collection = self._database[name]
            prefix = name[: -len("runs")]
            metrics = self._database[f"{prefix}metrics"]
            places = self._places_of_metrics(metrics)
            for run_id in ids:
                try:
                    document = collection.find_one({"_id": run_id})
                except BSONError as problem:
                    self.problems.append(f"{self._place}.{name}, run {run_id!r} cannot be read: {problem}")
                    continue
                except PyMongoError as problem:
                    raise away(self._uri, problem) from None
                if document is not None:
                    yield self._original(name, document, metrics, places.get(_key(run_id), ()))

    def close(self) -> None:
        self._client.close()
        self._spool.cleanup()

    def _look(self, prefix: str | None) -> dict[str, list[Any]]:
        names = sorted(name for name in self._database.list_collection_names() if _RUNS.match(name))
        if prefix is not None:
            names = [name for name in names if name in (f"{prefix}_runs", f"{prefix}.runs")]
        if not names:
            missing = f"{prefix}_runs" if prefix else "runs"
            raise NotFound(f"{self._place} has no collection '{missing}': no run of Sacred was stored there.")
        # ids first, runs one by one: a cursor would time out while a large run is brought
        return {name: [each["_id"] for each in self._database[name].find({}, {"_id": 1}).sort("_id")] for name in names}

    def _places_of_metrics(self, metrics: Collection[Document]) -> dict[str, list[Any]]:
        """The documents of each run, all at once: Sacred makes no index, so each look reads the whole collection."""
        found: dict[str, list[Any]] = {}
        try:
            for each in metrics.find({}, {"run_id": 1}).sort("_id"):
                found.setdefault(_key(each.get("run_id")), []).append(each["_id"])
        except PyMongoError as problem:
            raise away(self._uri, problem) from None
        return found

    def _original(self, name: str, document: Document, metrics: Collection[Document], places: Any) -> Original:
        run_id = document["_id"]
        original = Original(
            source=f"sacred:mongodb://{self._place}/{name}/{quote(_key(run_id), safe=':')}",
            place=f"{self._place}.{name}, run {run_id}",
            document=document,
        )

        def series() -> Iterator[Series]:
            for place in places:
                try:
                    found = metrics.find_one({"_id": place})
                except BSONError as problem:
                    original.problems.append(f"{original.place}, metric {place} cannot be read: {problem}")
                    continue
                except PyMongoError as problem:
                    raise away(self._uri, problem) from None
                if found is not None:
                    times = found.get("timestamps")
                    steps, values = found.get("steps"), found.get("values")
                    yield Series(
                        str(found.get("name", "")),
                        steps if isinstance(steps, list) else [],
                        values if isinstance(values, list) else [],
                        times if isinstance(times, list) else None,
                    )

        original.series = series
        original.files = lambda: self._files(name, document)
        return original

    def _files(self, collection: str, document: Document) -> Iterator[StoredFile]:
        # before version 0.7 a prefix came with a dot, and the files had it, too
        stores = [f"{collection[: -len('.runs')]}", "fs"] if collection.endswith(".runs") else ["fs"]
        experiment = document.get("experiment")
        sources = experiment.get("sources") if isinstance(experiment, Mapping) else None
        for prefix, entries in (("sources/", sources), ("resources/", document.get("resources"))):
            for entry in entries if isinstance(entries, list) else ():
                if not isinstance(entry, list | tuple) or len(entry) < 2:
                    continue
                if prefix == "resources/" and not isinstance(entry[1], ObjectId):
                    continue  # current versions note path and MD5 only, and never store the content
                name = Path(str(entry[0])).name if prefix == "resources/" else str(entry[0])
                yield StoredFile(prefix + file_name(name), self._content(stores, entry[1]))
        for artifact in document.get("artifacts") or ():
            if isinstance(artifact, Mapping):
                yield StoredFile(file_name(str(artifact.get("name"))), self._content(stores, artifact.get("file_id")))

    def _content(self, stores: list[str], file_id: Any) -> "_Content":
        spool = Path(self._spool.name) / "content"
        return _Content([gridfs.GridFS(self._database, collection=each) for each in stores], file_id, spool)


class _Content:
    """Reads a file of GridFS when it is called; a large one into a file that the next one replaces."""

    def __init__(self, stores: list[gridfs.GridFS], file_id: Any, spool: Path) -> None:
        self._stores = stores
        self._file_id = file_id
        self._spool = spool

    def __call__(self) -> bytes | Path:
        for store in self._stores:
            try:
                found = (
                    store.get(self._file_id)
                    if not isinstance(self._file_id, str)
                    else store.find_one({"md5": self._file_id})  # as the oldest versions named their sources
                )
                if found is None:
                    continue
                if found.length <= _AT_ONCE_BYTES:
                    return bytes(found.read())
                with self._spool.open("wb") as file:
                    while piece := found.read(1 << 20):
                        file.write(piece)
                return self._spool
            except gridfs.NoFile:
                continue
            except (GridFSError, PyMongoError) as problem:
                raise Unreadable(f"its content is damaged ({problem})") from None
        raise Unreadable(f"its content ({self._file_id}) is not in the database")


def _key(run_id: Any) -> str:
    """A run's id with its type, since 1 and "1" are two runs."""
    if isinstance(run_id, str):
        return f"s:{run_id}"
    return f"oid:{run_id}" if isinstance(run_id, ObjectId) else str(run_id)


def hosts_of(uri: str) -> str:
    """The machines of an address, with ports and without passwords."""
    try:
        return ",".join(sorted(f"{host}:{port or 27017}" for host, port in parse_uri(uri)["nodelist"]))
    except PyMongoError as problem:
        raise away(uri, problem) from None
