"""`runyard logs`: what a run printed, also while it prints."""

import re
import sys
import time
from collections import deque
from pathlib import Path

from runyard.cli import documents, screen, target
from runyard.client import Client
from runyard.client.runs import output_text
from runyard.errors import NotFound, UsageError
from runyard.index.rows import from_ns
from runyard.journal import HOST, Attempt
from runyard.journal.events import Event
from runyard.journal.reader import Decoder, EventAt
from runyard.records import RunId

_PIECE_BYTES = 4 << 20
_LOOK_S = 0.2  # how often the file is looked at; a person notices no delay
_ASK_S = 1.0  # how often the run's state is asked for while nothing comes
_BEGUN_SEQUENCE = re.compile(r"\x1b(\[[0-9;:]{0,40})?$")


class Tail:
    """Reads the events of a journal that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = Decoder()

    @property
    def problem(self) -> str:
        """Why it cannot be read further, if so."""
        return self._decoder.problem

    def read(self) -> list[Event] | None:
        """What is new since the last call, some megabytes at a time; None: nothing is new."""
        size = _PIECE_BYTES
        while True:
            try:
                with self._path.open("rb") as file:
                    file.seek(self._decoder.offset)
                    data = file.read(size)
            except FileNotFoundError:
                return None
            before = self._decoder.offset
            items = self._decoder.feed(data)
            if self._decoder.offset > before:
                return [item.event for item in items if isinstance(item, EventAt)]
            if len(data) < size or self._decoder.problem:
                return None
            size *= 2  # one record is larger than that


class Printer:
    """Writes output to stdout; an escape sequence that two pieces share is put together first."""

    def __init__(self) -> None:
        self._keeps_colours = screen.wants_colour()
        self._held = ""

    def write(self, text: str) -> None:
        text = self._held + text
        begun = _BEGUN_SEQUENCE.search(text)
        self._held = begun.group() if begun else ""
        text = text[: begun.start()] if begun else text
        sys.stdout.write(screen.coloured_output(text) if self._keeps_colours else screen.uncoloured_output(text))

    def close(self) -> None:
        """Colours of the output end with it."""
        if self._keeps_colours:
            sys.stdout.write("\x1b[0m")
        sys.stdout.flush()


def logs(*, run: str, follow: bool, tail: int | None, attempt: int | None, as_json: bool) -> None:
    """What a run printed; -f follows it, through all its attempts."""
    if follow and (as_json or attempt is not None):
        raise UsageError("--follow goes with neither --json nor --attempt: it shows what the run prints next.")
    with target.opened() as client:
        row = target.find_run(client, run)
        chosen = _attempt(client, row.id, attempt)
        if as_json:
            _write_json(chosen)
            return
        printer = Printer()
        try:
            source = _print_so_far(chosen, printer, lines=tail) if chosen else None
            if follow:
                _follow(client, row.id, chosen, source, printer)
        finally:
            printer.close()
        if not follow:
            _remark(chosen, source, latest=row.attempt)


def _attempt(client: Client, run_id: RunId, number: int | None) -> Attempt | None:
    attempts = client.folder(run_id).attempts()
    if number is None:
        return attempts[-1] if attempts else None
    found = [attempt for attempt in attempts if attempt.number == number]
    if not found:
        known = ", ".join(str(attempt.number) for attempt in attempts) or "none so far"
        raise NotFound(f"Run {run_id} has no attempt {number}. It has: {known}.")
    return found[0]


def _print_so_far(attempt: Attempt, printer: Printer, *, lines: int | None) -> Tail:
    source = Tail(attempt.journal(HOST))
    last: deque[str] = deque(maxlen=None if lines is None else lines + 1)  # the last one may be an open line
    while (events := source.read()) is not None:
        text = "".join(output_text(event) for event in events)
        if lines is None:
            printer.write(text)
            continue
        open_line = last.pop() if last else ""
        last.extend((open_line + text).split("\n"))
    if lines:
        kept = list(last)
        if kept and kept[-1]:  # the last line is not ended: it counts, too
            kept = kept[-lines:]
        printer.write("\n".join(kept))
    return source


def _follow(client: Client, run_id: RunId, current: Attempt | None, source: Tail | None, printer: Printer) -> None:
    asked_at = 0.0
    is_over = False
    while True:
        events = source.read() if source else None
        for event in events or ():
            printer.write(output_text(event))
        if events is not None:
            sys.stdout.flush()
            continue
        latest = _attempt(client, run_id, None)
        if latest and (current is None or latest.number > current.number):
            if current:
                screen.remark(f"— attempt {latest.number} —")
            current, source = latest, Tail(latest.journal(HOST))
            continue
        if is_over:  # nothing came after the run was found to have ended
            screen.remark(_ending(client, run_id))
            return
        if time.monotonic() - asked_at > _ASK_S:
            client.refresh()
            is_over = client.index.get(run_id).state.is_ended
            asked_at = time.monotonic()
        if not is_over:
            sys.stdout.flush()
            time.sleep(_LOOK_S)


def _ending(client: Client, run_id: RunId) -> str:
    row = client.index.get(run_id)
    return f"— {screen.plain(f'{row.id} {row.state}: {row.reason}'.removesuffix(': '))} —"


def _remark(attempt: Attempt | None, source: Tail | None, *, latest: int) -> None:
    if attempt is None:
        screen.remark("The run has not started yet; -f waits for it.")
    elif source and source.problem:
        screen.remark(f"The journal {attempt.journal(HOST)} cannot be read further: {source.problem}.")
    elif latest > 1 and attempt.number == latest:
        screen.remark(f"— attempt {latest}; --attempt shows the earlier ones —")


def _write_json(attempt: Attempt | None) -> None:
    pieces = []
    source = Tail(attempt.journal(HOST)) if attempt else None
    while source and (events := source.read()) is not None:
        pieces += [{"at": from_ns(e.time_ns), "text": output_text(e)} for e in events if output_text(e)]
    documents.write({"attempt": attempt.number if attempt else None, "pieces": pieces})
