"""What a worker does, while it does it: a page that moves on a terminal, lines in a file.

The worker gives a snapshot after every turn. A run that has left its lane has ended; how, the index knows.
"""

import time
from collections import Counter
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runyard.cli import screen
from runyard.client import Client
from runyard.errors import NotFound
from runyard.index import RunRow
from runyard.project.launch import show_duration
from runyard.records import RunState
from runyard.worker import Lane, Snapshot

_LAST = 5  # ended runs that stay on the page
_METRICS = 2  # of each
_BAR = 24
_REFRESH_HZ = 4
_DELIVERY_S = 15.0  # the last words of a run reach the index within that, or the next command finds them
_LOOK_S = 0.1
_LINE_EVERY_S = 30.0  # without a terminal: how often the state of the queue is written


class Page(Protocol):
    """Where a worker is watched."""

    def show(self, snapshot: Snapshot) -> None: ...
    def say(self, text: str) -> None: ...
    def conclude(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Ended:
    """Notices which runs have ended since the last snapshot, and keeps count.

    A slot is free a moment before the end of its run is delivered, so a run that has left its lane is asked about
    until the index knows how it ended.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._running: set[str] = set()
        self._leaving: list[str] = []
        self.counts: Counter[str] = Counter()
        self.began = time.monotonic()

    def notice(self, snapshot: Snapshot) -> list[RunRow]:
        """The runs that have ended, as the index tells them."""
        running = {lane.run_id for lane in snapshot.lanes if lane.run_id}
        self._leaving += sorted(self._running - running)
        self._running = running
        return self._take_ended()

    def wait_for_the_last(self) -> list[RunRow]:
        """The same for those that are still being delivered; gives up after a moment."""
        deadline = time.monotonic() + _DELIVERY_S
        ended = self._take_ended()
        while self._leaving and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            ended += self._take_ended()
        return ended

    def _take_ended(self) -> list[RunRow]:
        rows = {run_id: self._row(run_id) for run_id in self._leaving}
        ended = [row for row in rows.values() if row is not None and row.state != RunState.RUNNING]
        self._leaving = [run_id for run_id, row in rows.items() if row is not None and row.state == RunState.RUNNING]
        self.counts.update(row.state for row in ended)
        return ended

    def sentence(self) -> str:
        """What was done, in one line."""
        took = show_duration(time.monotonic() - self.began)
        if not self.counts:
            return f"Nothing was executed in {took}."
        parts = [f"{count} {_words(state)}" for state, count in sorted(self.counts.items())]
        return f"{', '.join(parts)} in {took}."

    def _row(self, run_id: str) -> RunRow | None:
        try:
            self._client.index.catch_up(run_id)  # not even the start of a short run may have been delivered yet
            return self._client.index.get(run_id)
        except NotFound:
            return None


class LivePage:
    """Lanes, progress and the queue on a terminal; what a person should know scrolls by above."""

    def __init__(self, client: Client) -> None:
        self._ended = Ended(client)
        self._last: list[RunRow] = []
        self._console = Console(highlight=False, no_color=not screen.wants_colour())
        self._live = Live(console=self._console, refresh_per_second=_REFRESH_HZ, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draw the page anew."""
        for row in self._ended.notice(snapshot):
            self._last = [*self._last, row][-_LAST:]
        self._live.update(Group(*self._parts(snapshot)))

    def say(self, text: str) -> None:
        """A sentence that stays."""
        self._console.print(Text(screen.plain(text), style="yellow"))

    def conclude(self) -> None:
        """The last lines."""
        self._last = [*self._last, *self._ended.wait_for_the_last()][-_LAST:]
        for row in self._last:
            self._console.print(Text(_mark(row.state) + " " + _outcome(row), style=_style(row.state)))
        self._console.print(Text(self._ended.sentence(), style="bold"))

    def _parts(self, snapshot: Snapshot) -> list[Table | Text]:
        parts: list[Table | Text] = [self._head(snapshot), _lanes(snapshot)]
        parts += [
            Text(f"  {_mark(row.state)} {_outcome(row)}", style=_style(row.state), overflow="ellipsis", no_wrap=True)
            for row in self._last
        ]
        held = [grid for grid in snapshot.grids if grid.held]
        parts += [Text(f"  held: {grid.held} runs. {screen.plain(grid.held_reason)}", style="magenta") for grid in held]
        return parts

    def _head(self, snapshot: Snapshot) -> Table:
        counts = snapshot.counts
        done = sum(self._ended.counts.values())
        total = done + counts.waiting + counts.leased
        table = Table.grid(padding=(0, 2))
        state = ("", " · starts nothing more", " · stopping its runs")[snapshot.stopping]
        text = f"{done} of {total} done · {counts.leased} running · {counts.waiting} waiting{state}"
        if counts.paused:
            text += f" · {counts.paused} paused"
        table.add_row(
            ProgressBar(total=max(total, 1), completed=done, width=_BAR),
            Text(text, style="bold"),
            Text(_eta(snapshot.eta_s), style="cyan"),
        )
        return table


class LiveLines:
    """The same for a file or a pipe: a line for every run that begins or ends."""

    def __init__(self, client: Client) -> None:
        self._ended = Ended(client)
        self._known: set[str] = set()
        self._written = 0.0
        self._paused = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, snapshot: Snapshot) -> None:
        """Write what has changed."""
        for row in self._ended.notice(snapshot):
            self._say_ended(row)
        for lane in snapshot.lanes:
            if lane.run_id and lane.run_id not in self._known:
                self._known.add(lane.run_id)
                self.say(f"▸ started   {lane.run_name} on {lane.slot}")
        if snapshot.counts.paused and not self._paused:
            self.say(f"{snapshot.counts.paused} runs wait in a paused queue.")
        self._paused = bool(snapshot.counts.paused)
        for grid in snapshot.grids:
            if grid.held and grid.grid not in self._known:
                self._known.add(grid.grid)
                self.say(f"{grid.held} runs are held. {grid.held_reason}")
        if time.monotonic() - self._written > _LINE_EVERY_S and snapshot.counts.leased:
            counts = snapshot.counts
            self.say(f"{counts.leased} running, {counts.waiting} waiting. {_eta(snapshot.eta_s)}")

    def say(self, text: str) -> None:
        """One line."""
        self._written = time.monotonic()
        print(screen.plain(text), flush=True)

    def conclude(self) -> None:
        """The last lines."""
        for row in self._ended.wait_for_the_last():
            self._say_ended(row)
        self.say(self._ended.sentence())

    def _say_ended(self, row: RunRow) -> None:
        self.say(f"{_mark(row.state)} {row.state:<9} {_outcome(row)}")


def _lanes(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for title in ("slot", "run", "progress", "", "since", "left"):
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    for lane in snapshot.lanes:
        table.add_row(*_lane(lane, snapshot.at))
    return table


def _lane(lane: Lane, now: float) -> list[Text | ProgressBar]:
    slot = Text(screen.plain(lane.slot))
    if lane.state == "free":
        return [slot, Text("free", style="dim")]
    if lane.state == "busy":
        return [slot, Text(screen.plain(lane.reason), style="yellow")]
    name = Text(screen.plain(lane.run_name or lane.run_id))
    since = Text(show_duration(max(0.0, now - lane.since)) if lane.since else "")
    left = Text(show_duration(max(0.0, lane.eta_s)) if lane.eta_s is not None else "", style="cyan")
    if lane.done is None or not lane.total:
        return [slot, name, Text(""), Text(""), since, left]
    bar = ProgressBar(total=lane.total, completed=lane.done, width=_BAR)
    return [slot, name, bar, Text(f"{100 * lane.done / lane.total:3.0f} %"), since, left]


def _outcome(row: RunRow) -> str:
    own = [key for key in row.summary if not key.startswith("sys/")]
    preferred = [key for key in own if key.startswith("val")] + own
    metrics = [f"{key} {row.summary[key].last:.4g}" for key in dict.fromkeys(preferred)][:_METRICS]
    took = [show_duration(row.duration_s)] if row.duration_s is not None else []
    reason = [] if row.state == RunState.COMPLETED else [row.reason]
    return screen.plain("  ".join([row.name, *took, *reason, *metrics]))


def _eta(seconds: float | None) -> str:
    return "" if seconds is None else f"about {show_duration(max(0.0, seconds))} left"


def _mark(state: str) -> str:
    return {"COMPLETED": "✓", "QUEUED": "↺"}.get(state, "✗")


def _words(state: str) -> str:
    return "to be resumed" if state == RunState.QUEUED else state.lower().replace("_", " ")


def _style(state: str) -> str:
    return screen.STATE_COLOURS.get(state, "")
