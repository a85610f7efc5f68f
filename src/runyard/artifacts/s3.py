"""Files by content in a bucket of an S3-compatible store, with copies of those that were used lately on this machine.

<bucket>/<prefix>/<first 2 hex digits>/<sha256>

What is stored is written beside the copies first, so that its name is known; it counts as stored when the bucket has
all of it, each part checked against its SHA-256 on arrival. Files that lie in the home's own folder, from before it
had a bucket, are found there.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import msgspec

from runyard.artifacts.store import ArtifactStore, is_sha256
from runyard.errors import MissingExtra, NotFound, ServerAway, UsageError

if TYPE_CHECKING:
    from obstore.store import S3Config
    from obstore.store import S3Store as Bucket

CACHE_BYTES = 10_000_000_000  # of copies; those that were not used for longest go first
_PART_BYTES = 8 << 20
_PIECE_BYTES = 1 << 20
_AT_ONCE = 8
_CONNECT = timedelta(seconds=5)
_PATIENCE = timedelta(seconds=20)
_SECRET = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class S3Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the files of a home are: what stands in its `artifacts.url`."""

    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str = "us-east-1"
    is_plain: bool = False

    @property
    def shown(self) -> str:
        """For people."""
        at = f" at {self.endpoint}" if self.endpoint else ""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/") + at


def read_place(url: str, environment: Mapping[str, str] = os.environ) -> S3Place:
    """Read `s3://bucket/prefix?endpoint=https://…&region=…&plain_http=yes`; endpoint and region may stand in AWS_* too.

    Raises:
        UsageError: it is no such address, or an endpoint without TLS that nobody allowed.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    unknown = sorted(set(options) - {"endpoint", "region", "plain_http"})
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or unknown:
        raise UsageError(
            f"'{url[:200]}' is no address for artifacts{': it has ' + unknown[0] if unknown else ''}. Write "
            "s3://bucket/prefix, and behind it, if need be, ?endpoint=https://host:port&region=…"
        )
    endpoint = options.get("endpoint") or environment.get("AWS_ENDPOINT_URL") or None
    is_plain = options.get("plain_http") == "yes"
    if endpoint and not endpoint.startswith("https://") and not (is_plain and endpoint.startswith("http://")):
        raise UsageError(
            f"The endpoint {endpoint[:200]} of the artifacts has no TLS: what is stored would travel readable. "
            "Name one with https://, or allow it with &plain_http=yes."
        )
    region = options.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return S3Place(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        endpoint=endpoint,
        region=region or "us-east-1",
        is_plain=is_plain,
    )


class S3ArtifactStore(ArtifactStore):
    """A bucket. Safe with many processes and machines.

    Any call that needs the bucket may raise ServerAway: it cannot be reached, or refused us.

    Args:
        root: the home's own folder for files; also where those are written that are on their way.
        copies: where copies lie.

    Raises:
        MissingExtra: obstore is not installed.
        UsageError: AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set.
    """

    def __init__(self, root: Path, copies: Path, place: S3Place, *, cache_bytes: int = CACHE_BYTES) -> None:
        super().__init__(root)
        self.place = place
        self._copies = ArtifactStore(copies)
        self._cache_bytes = cache_bytes
        self._bucket = _open(place)

    def check(self) -> None:
        """Make sure that the bucket is there and lets us in.

        Raises:
            UsageError: it is not, or does not.
        """
        import obstore

        try:
            with self._asking():
                next(iter(obstore.list(self._bucket, chunk_size=1)), None)
        except ServerAway as problem:
            raise UsageError(str(problem)) from None

    def put_bytes(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        return sha256 if self.has(sha256) else self._put(iter((data,)))

    def has(self, sha256: str) -> bool:
        return super().has(sha256) or self._remote_size(sha256) is not None

    def missing(self, contents: list[str]) -> list[str]:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            is_here = list(threads.map(self.has, contents))
        return [sha256 for sha256, here in zip(contents, is_here, strict=True) if not here]

    def path(self, sha256: str) -> Path:
        """A copy on this machine."""
        if super().has(sha256):
            return super().path(sha256)
        if not self._copies.has(sha256):
            return self._fetch(sha256)
        found = self._copies.path(sha256)
        os.utime(found)  # used just now
        return found

    def is_elsewhere(self, sha256: str) -> bool:
        return not super().has(sha256) and not self._copies.has(sha256)

    def stream(self, sha256: str) -> tuple[int, Iterator[bytes]]:
        if not self.is_elsewhere(sha256):
            return super().stream(sha256)
        size = self.size(sha256)
        return size, self._pieces(sha256)

    def size(self, sha256: str) -> int:
        if super().has(sha256):
            return super().size(sha256)
        size = self._remote_size(sha256)
        if size is None:
            raise NotFound(f"The file {sha256[:12]}… is not in {self.place.shown}. It was deleted, or never arrived.")
        return size

    def occupied(self, sha256: str) -> int:
        return self.size(sha256)

    def sizes(self) -> dict[str, int]:
        import obstore

        found = super().sizes()
        with self._asking():
            for batch in obstore.list(self._bucket, chunk_size=1000):
                for each in batch:
                    folder, _, name = each["path"].removeprefix(f"{self.place.prefix}/").rpartition("/")
                    if is_sha256(name) and folder == name[:2]:
                        found[name] = each["size"]
        return found

    def delete(self, sha256: str) -> bool:
        import obstore

        was_here = self.has(sha256)
        super().delete(sha256)
        self._copies.delete(sha256)
        with self._asking():
            obstore.delete(self._bucket, self._key(sha256))
        return was_here

    def digest(self, sha256: str) -> str:
        if super().has(sha256):
            return super().digest(sha256)
        digest = hashlib.sha256()
        for piece in self._pieces(sha256):
            digest.update(piece)
        return digest.hexdigest()

    def set_aside(self, sha256: str) -> None:
        import obstore

        if super().has(sha256):
            super().set_aside(sha256)
            return
        self._copies.delete(sha256)
        with self._asking():
            obstore.rename(self._bucket, self._key(sha256), f"{self._key(sha256)}.damaged")

    def _publish(self, draft: Path, sha256: str) -> None:
        """Bring a whole, checked file into the bucket; then it becomes a copy."""
        import obstore

        size = draft.stat().st_size
        if self._remote_size(sha256) != size:
            with self._asking():
                obstore.put(self._bucket, self._key(sha256), draft, chunk_size=_PART_BYTES, max_concurrency=4)
            if self._remote_size(sha256) != size:
                raise ServerAway(f"The file {sha256[:12]}… did not arrive whole in {self.place.shown}. Try it again.")
        self._copies.adopt(draft, sha256)
        self._make_room()

    def _fetch(self, sha256: str) -> Path:
        """Get a copy; it appears complete and checked, or not at all."""
        self._copies.root.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=".draft-", dir=self._copies.root)
        digest = hashlib.sha256()
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in self._pieces(sha256):
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != sha256:
                raise ServerAway(f"The file {sha256[:12]}… arrived damaged from {self.place.shown}. Try it again.")
            self._copies.adopt(Path(draft), sha256)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        self._make_room(but=sha256)
        return self._copies.path(sha256)

    def _pieces(self, sha256: str) -> Iterator[bytes]:
        import obstore

        with self._asking(sha256):
            for piece in obstore.get(self._bucket, self._key(sha256)).stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)

    def _remote_size(self, sha256: str) -> int | None:
        import obstore

        try:
            with self._asking(sha256):
                return int(obstore.head(self._bucket, self._key(sha256))["size"])
        except NotFound:
            return None

    def _make_room(self, *, but: str = "") -> None:
        """Delete the copies that were not used for longest, if there are too many."""
        files = [(file.stat().st_mtime, file.stat().st_size, file.name) for file in self._copies.files()]
        left = sum(size for _, size, _ in files) - self._cache_bytes
        for _, size, name in sorted(files):
            if left <= 0:
                return
            if name != but:
                self._copies.delete(name)
                left -= size

    def _key(self, sha256: str) -> str:
        name = self._place(sha256).name  # refuses what is no SHA-256
        return f"{name[:2]}/{name}"

    @contextmanager
    def _asking(self, sha256: str = "") -> Iterator[None]:
        """Tell what went wrong in a sentence.

        Raises:
            NotFound: the file is not there.
            ServerAway: anything else.
        """
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as problem:
            text = str(problem)
            if "NoSuchBucket" in text:
                why = f"there is no bucket '{self.place.bucket}'"
            elif isinstance(problem, FileNotFoundError):
                raise NotFound(f"The file {sha256[:12]}… is not in {self.place.shown}.") from None
            elif any(word in text for word in _REFUSALS):
                why = f"it refused {_SECRET[0]} and {_SECRET[1]}, or they may not do this"
            else:
                why = _first_words(text)
            raise ServerAway(f"The artifacts in {self.place.shown} cannot be used: {why}.") from None


_REFUSALS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "401", "Forbidden", "Unauthorized")


def _open(place: S3Place, environment: Mapping[str, str] = os.environ) -> "Bucket":
    try:
        from obstore.store import S3Store as Bucket
    except ImportError:
        raise MissingExtra(extra="s3", purpose=f"The artifacts in {place.shown}") from None
    for name in _SECRET:
        if not environment.get(name):  # else it would be looked for in the network
            raise UsageError(f"The artifacts are in {place.shown}, and {name} is not set. Set {' and '.join(_SECRET)}.")
    config: S3Config = {
        "bucket": place.bucket,
        "region": place.region,
        "access_key_id": environment[_SECRET[0]],
        "secret_access_key": environment[_SECRET[1]],
        "checksum_algorithm": "sha256",
    }
    if environment.get("AWS_SESSION_TOKEN"):
        config["session_token"] = environment["AWS_SESSION_TOKEN"]
    if place.endpoint:
        config["endpoint"] = place.endpoint
    return Bucket(
        prefix=place.prefix or None,
        config=config,
        client_options={
            "allow_http": place.is_plain,
            "connect_timeout": _CONNECT,
            "timeout": 3 * _PATIENCE,
        },
        retry_config={"max_retries": 2, "retry_timeout": _PATIENCE},
    )


def _first_words(text: str) -> str:
    line = " ".join(text.split()).split(" Debug source")[0]
    return line[:300].rstrip(".") or "it failed without a word"
