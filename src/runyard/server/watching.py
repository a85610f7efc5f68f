"""Keeping the answers true, and telling pages what changed.

One thread looks twice a second as long as a page listens; else whoever asks looks first, and the thread only settles
what died, since machines of the team wait for that. A look brings journals into
the index that nobody delivered, writes down the end of what died, and compares what moves (running runs, the queue,
the newest runs, the slots) with the look before. Supervisors and other commands write into the same database: its
`data_version` tells that something happened there, so that an idle look costs next to nothing.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from runyard.client import Client
from runyard.client import reaper as reaping
from runyard.database import data_version
from runyard.database.schema import paused_projects, queue, runs, streams
from runyard.errors import RunyardError
from runyard.records import RunState
from runyard.server.machines import Machines

LOOK_S = 0.5
STALE_S = 1.0  # older than this, an answer is preceded by a look
REAP_S = 5.0
_ALL_S = 10.0  # how often also waiting runs are looked at: they mostly stay as they are
_MEASURES_S = 5.0  # how often use of GPUs and memory is news
_BREATHER = 4  # a look that took long is followed by a rest so many times as long
_NEWEST = 200
_MOST_NAMED = 500  # changed runs; beyond it a page reads everything anew
_log = logging.getLogger(__name__)


@dataclass
class Changes:
    """What is news. `everything`: something changed, and nobody knows which runs."""

    runs: set[str] = field(default_factory=set)
    queue: bool = False
    machines: bool = False
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.runs or self.queue or self.machines or self.everything)

    def add(self, other: "Changes") -> None:
        """Take over what another one knows."""
        self.runs |= other.runs
        self.queue |= other.queue
        self.machines |= other.machines
        self.everything |= other.everything
        if len(self.runs) > _MOST_NAMED:
            self.runs, self.everything = set(), True

    def document(self) -> dict[str, Any]:
        """As a page gets it."""
        return {
            "runs": sorted(self.runs),
            "queue": self.queue,
            "machines": self.machines,
            "everything": self.everything,
        }


class Listener:
    """One page that listens, in the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pending = Changes()
        self._is_news = asyncio.Event()
        self.is_over = False

    async def next(self, *, timeout_s: float) -> Changes | None:
        """What changed since the last call; None if nothing did for so long, or the server ends."""
        try:
            await asyncio.wait_for(self._is_news.wait(), timeout_s)
        except TimeoutError:
            return None
        self._is_news.clear()
        found, self._pending = self._pending, Changes()
        return found or None

    def tell(self, changes: Changes | None) -> None:
        """Called from any thread; None: the server ends."""
        self._loop.call_soon_threadsafe(self._take, changes)

    def _take(self, changes: Changes | None) -> None:
        if changes is None:
            self.is_over = True
        else:
            self._pending.add(changes)
        self._is_news.set()


@dataclass
class _Standing:
    """What the last look saw."""

    running: dict[str, int] = field(default_factory=dict)  # run -> bytes of its journals
    newest: dict[str, tuple[str, int]] = field(default_factory=dict)
    queue: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()


class Watcher:
    """Looks after one home. `start` and `stop` it with the server."""

    def __init__(self, client: Client, machines: Machines) -> None:
        self._client = client
        self._machines = machines
        self._listeners: set[Listener] = set()
        self._looking = threading.Lock()
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._connection = client.database.engine.connect()
        self._version = ""
        self._standing: _Standing | None = None
        self._slots: Any = None
        self._own = self._seen = 0
        self._at = self._reaped_at = self._all_at = self._measured_at = float("-inf")
        self._all_took_s = 0.0
        self._listed_ns = -1

    def start(self) -> None:
        """Begin to look by itself. Leases that could not be renewed while there was no server are renewed once."""
        self._client.queue.renew_leases(now=time.time())
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self.dismiss()
        self._is_over = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        self._connection.close()

    # ---- listeners ----

    def listen(self) -> Listener:
        """A listener, which must be `leave`d. To be called in the event loop."""
        listener = Listener()
        with self._guard:
            self._listeners.add(listener)
        self._wake.set()
        return listener

    def leave(self, listener: Listener) -> None:
        """A page has gone."""
        with self._guard:
            self._listeners.discard(listener)

    def dismiss(self) -> None:
        """Tell all pages that the server ends, or it would wait for them."""
        for listener in self._listening():
            listener.tell(None)

    def note(self, run_ids: Iterable[str] = (), *, queue: bool = True, machines: bool = False) -> None:
        """Tell at once what was changed through this server."""
        self._own += 1
        self._publish(Changes(runs=set(run_ids), queue=queue, machines=machines))

    # ---- looking ----

    @property
    def generation(self) -> tuple[int, int]:
        """Changes with every change: first those through this server, then those that were seen."""
        return self._own, self._seen

    @property
    def is_stale(self) -> bool:
        """Whether an answer would be too old. While somebody listens, the thread keeps it young."""
        return not self._listeners and time.monotonic() - self._at > STALE_S

    def look(self) -> None:
        """Bring the index up to date and tell what changed. Whoever comes while somebody looks waits for that look."""
        asked_at = time.monotonic()
        with self._looking:
            if self._at >= asked_at:
                return
            began = time.monotonic()
            self._read(began)
            changes = self._compare()
            if self._listeners:
                changes.machines = self._machines_changed(began)
            self._at = began
        if changes:
            self._publish(changes)

    def _run(self) -> None:
        while not self._is_over:
            began = time.monotonic()
            try:
                if self._listeners:
                    self.look()
                else:
                    with self._looking:
                        self._reap(began)
            except Exception:  # the home may be gone for a moment; pages are told as soon as it is back
                _log.exception("looking at the home failed")
            took_s = time.monotonic() - began
            self._wake.wait(max(LOOK_S, _BREATHER * took_s) if self._listeners else REAP_S)
            self._wake.clear()

    def _read(self, now: float) -> None:
        client = self._client
        self._reap(now)
        if self._is_time_for_all(now):
            self._all_at = now
            client.index.catch_up()
            self._all_took_s = time.monotonic() - now
            return
        for run_id in self._moving():
            try:
                client.index.catch_up(run_id)
            except RunyardError:  # deleted a moment ago
                continue

    def _reap(self, now: float) -> None:
        if now - self._reaped_at > REAP_S:
            self._reaped_at = now
            reaping.recover_submissions(self._client)
            self._client.reap(time.time())

    def _is_time_for_all(self, now: float) -> bool:
        """Now and then, and at once when a run has come; a home with very many waiting runs is spared."""
        listed_ns = self._client.home.runs.stat().st_mtime_ns
        is_new = listed_ns != self._listed_ns
        if now - self._all_at < (_BREATHER * 5 * self._all_took_s if is_new else max(_ALL_S, 20 * self._all_took_s)):
            return False
        self._listed_ns = listed_ns
        return True

    def _moving(self) -> list[str]:
        with self._client.database.read() as tx:
            running = select(runs.c.id).where(runs.c.state == str(RunState.RUNNING))
            leased = select(queue.c.run_id).where(queue.c.state == "leased")
            return list(tx.scalars(running.union(leased)))

    def _compare(self) -> Changes:
        if self._standing is not None and not self._has_moved():
            return Changes()
        before, after = self._standing, self._stand()
        self._standing = after
        if before is None:
            self._has_moved()
            return Changes()
        changes = Changes()
        for old, new in ((before.running, after.running), (before.newest, after.newest)):
            changes.add(Changes(runs={key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}))
        moved = {
            key for key in before.queue.keys() | after.queue.keys() if before.queue.get(key) != after.queue.get(key)
        }
        changes.add(Changes(runs=moved, queue=bool(moved) or before.paused != after.paused))
        changes.everything |= not changes
        return changes

    def _has_moved(self) -> bool:
        """Whether another connection has written since the last call."""
        with self._connection.begin():
            version = data_version(self._connection)
        is_new = version != self._version
        self._version = version
        return is_new

    def _stand(self) -> _Standing:
        running = select(runs.c.id).where(runs.c.state == str(RunState.RUNNING))
        sizes = select(streams.c.run_id, func.sum(streams.c.offset)).where(streams.c.run_id.in_(running))
        newest = select(runs.c.id, runs.c.state, runs.c.attempt).order_by(runs.c.created_ns.desc()).limit(_NEWEST)
        row = (queue.c.run_id, queue.c.state, queue.c.attempt, queue.c.priority, queue.c.position, queue.c.held_reason)
        with self._client.database.read() as tx:
            return _Standing(
                running={run_id: int(size) for run_id, size in tx.execute(sizes.group_by(streams.c.run_id))},
                newest={run_id: (state, attempt) for run_id, state, attempt in tx.execute(newest)},
                queue={run_id: tuple(rest) for run_id, *rest in tx.execute(select(*row))},
                paused=frozenset(tx.scalars(select(paused_projects.c.project))),
            )

    def _machines_changed(self, now: float) -> bool:
        slots = self._machines.states()
        is_news = slots != self._slots or now - self._measured_at > _MEASURES_S
        if is_news:
            self._measured_at = now
        self._slots = slots
        return is_news

    def _publish(self, changes: Changes) -> None:
        if changes.runs or changes.queue or changes.everything:
            self._seen += 1
        for listener in self._listening():
            listener.tell(changes)

    def _listening(self) -> list[Listener]:
        with self._guard:
            return list(self._listeners)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
