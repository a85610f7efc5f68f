"""The index of a server: the same questions, asked over HTTP."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from runyard.client.remote.transport import Transport
from runyard.index import EVERYTHING, ArtifactRow, Index, MediaRow, RunRow
from runyard.journal import EDITS
from runyard.journal.events import Environment, Failed
from runyard.records import RunId

if TYPE_CHECKING:
    from runyard.index.series import Buckets, Series

PAGE = 1000  # runs in one answer
_NEVER_DELIVERED = 1 << 62  # edits belong to the server: there is nothing to bring there

T = TypeVar("T")


class RemoteIndex(Index):
    """Answers as `Index` does. It holds no tables, so there is nothing to fill, to catch up with or to rebuild."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.scope = EVERYTHING  # the server knows what we may see

    @property
    def needs_reindex(self) -> bool:
        return False

    def catch_up(self, run_id: str | None = None) -> list[str]:
        return []  # the server looks by itself

    def reindex(self, progress: Callable[[int, int], None] | None = None) -> int:
        raise NotImplementedError("a server's index is rebuilt on its own machine")

    def find(
        self,
        query: str | None = None,
        *,
        project: str | None = None,
        sort: str = "-created_at",
        limit: int | None = None,
        offset: int = 0,
        trashed: bool | None = False,
    ) -> list[RunRow]:
        asked = {"query": query, "project": project, "sort": sort, "trashed": trashed}
        found: dict[str, RunRow] = {}  # runs that are submitted meanwhile push others into the next page
        seen = 0
        while limit is None or seen < limit:
            size = PAGE if limit is None else min(PAGE, limit - seen)
            page = self._call("find", list[RunRow], **asked, limit=size, offset=offset + seen)
            found |= {row.id: row for row in page}
            seen += len(page)
            if len(page) < size:
                break
        return list(found.values())

    def count(self, query: str | None = None, *, project: str | None = None, trashed: bool | None = False) -> int:
        return self._call("count", int, query=query, project=project, trashed=trashed)

    def get(self, run_id: str) -> RunRow:
        return self._call("get", RunRow, run_id=run_id)

    def resolve(self, text: str) -> RunId:
        return RunId(self._call("resolve", str, text=text))

    def known(self, run_ids: Sequence[str]) -> set[str]:
        return set(self._call("known", list[str], run_ids=list(run_ids)))

    def failure(self, run_id: str) -> Failed | None:
        return self._call("failure", Failed | None, run_id=run_id)  # type: ignore[arg-type]  # a union is as good as a class

    def environment(self, run_id: str, attempt: int) -> Environment | None:
        return self._call("environment", Environment | None, run_id=run_id, attempt=attempt)  # type: ignore[arg-type]  # as above

    def offset(self, run_id: str, attempt: int, stream: str) -> int:
        if stream == EDITS:
            return _NEVER_DELIVERED
        return self._call("offset", int, run_id=run_id, attempt=attempt, stream=stream)

    def keys(self, run_id: str) -> list[str]:
        return self._call("keys", list[str], run_id=run_id)

    def series(self, run_id: str, key: str, *, attempt: int | None = None, points: int | None = None) -> "Series":
        from runyard.client.remote.wire import series_of  # late, as below: it loads NumPy

        plain = self._call("series", dict[str, Any], run_id=run_id, key=key, attempt=attempt, points=points)
        return series_of(plain)

    def series_many(self, run_ids: Sequence[str], key: str) -> "dict[str, Series]":
        from runyard.client.remote.wire import series_of

        plain = self._call("series_many", dict[str, dict[str, Any]], run_ids=list(run_ids), key=key)
        return {run_id: series_of(each) for run_id, each in plain.items()}

    def bucketed(
        self, run_id: str, key: str, buckets: int, *, start: int | None = None, stop: int | None = None
    ) -> "Buckets":
        from runyard.client.remote.wire import buckets_of

        asked = {"run_id": run_id, "key": key, "buckets": buckets, "start": start, "stop": stop}
        return buckets_of(self._call("bucketed", dict[str, Any], **asked))

    def media(self, run_id: str, key: str | None = None) -> list[MediaRow]:
        return self._call("media", list[MediaRow], run_id=run_id, key=key)

    def artifacts(self, run_id: str) -> list[ArtifactRow]:
        return self._call("artifacts", list[ArtifactRow], run_id=run_id)

    def _call(self, method: str, kind: "type[T]", **arguments: object) -> T:
        return self._transport.tell(f"/calls/index.{method}", arguments, kind)
