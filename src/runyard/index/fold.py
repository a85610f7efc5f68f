"""Folding a stream: its events and rows become one small state.

The state of a stream depends on the bytes of that stream alone, however they were cut when they
arrived. What a run is follows from the states of all its streams (`merge.py`), so that the order
in which streams arrive does not matter either, and a rebuilt index equals a grown one.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from runyard.index.states import MetricState, ProgressState, StreamState, join, order
from runyard.journal.arrays import FloatArray, IntArray
from runyard.journal.events import (
    Configured,
    Ended,
    Environment,
    Event,
    Failed,
    Filed,
    Finished,
    Held,
    Labelled,
    Noted,
    Opened,
    Progress,
    Released,
    Renamed,
    Reordered,
    Requeued,
    Restored,
    Started,
    StopRequested,
    Tagged,
    Trashed,
    Warned,
)
from runyard.journal.reader import EventAt, Rows
from runyard.records import RunState

MAX_WARNINGS = 20  # a loop may warn at every step


def fold(state: StreamState, items: Iterable[Rows | EventAt], *, prefix: str = "") -> None:
    """Add what was decoded next to the state."""
    for item in items:
        if isinstance(item, Rows):
            _fold_rows(state, item, prefix)
        else:
            _fold_event(state, item.event)


def metric_state(steps: IntArray, times: IntArray, values: FloatArray) -> MetricState:
    """Sum up points, shape (n,), n >= 1, in the order in which they were logged."""
    return _sum_up(steps, times, values.reshape(-1, 1))[0]


def _fold_rows(state: StreamState, rows: Rows, prefix: str) -> None:
    state.last_ns = max(state.last_ns, int(rows.times.max()))
    for key, found in zip(rows.keys, _sum_up(rows.steps, rows.times, rows.values), strict=True):
        name = prefix + key
        known = state.metrics.get(name)
        state.metrics[name] = join(known, found) if known else found


def _sum_up(steps: IntArray, times: IntArray, values: FloatArray) -> list[MetricState]:
    """One state a column of `values`, shape (n, k)."""
    count = len(steps)
    first_step, last_step, last_ns = int(steps[0]), int(steps[-1]), int(times[-1])
    lowest, highest = int(steps.min()), int(steps.max())
    found = [MetricState(count, first_step, lowest, highest, last, last_step, last_ns) for last in values[-1].tolist()]
    if last_step != highest or (count > 1 and (steps[:-1] == highest).any()):
        _note_tops(found, steps, times, values, highest)
    for state, lowest_value, highest_value in zip(found, *_extremes(steps, values), strict=True):
        state.min, state.min_step = lowest_value
        state.max, state.max_step = highest_value
    return found


def _note_tops(found: list[MetricState], steps: IntArray, times: IntArray, values: FloatArray, highest: int) -> None:
    """Several points have the highest step, or the last one has not."""
    (at_top,) = np.nonzero(steps == highest)
    for column, state in enumerate(found):
        points = zip(times[at_top].tolist(), values[at_top, column].tolist(), strict=True)
        top = max(((highest, time, value) for time, value in points), key=order)
        if order(top) != order(state.highest):
            state.top = top


_Reached = tuple[float | None, int | None]  # a value and its step


def _extremes(steps: IntArray, values: FloatArray) -> tuple[Sequence[_Reached], Sequence[_Reached]]:
    """The lowest and the highest of each column, without NaN, and the steps at which they first stood."""
    if len(steps) == 1:  # the usual case of a live run
        step = int(steps[0])
        only = [(value, step) if value == value else (None, None) for value in values[0].tolist()]
        return only, only
    if np.isnan(values).any():
        columns = [_extremes_of_column(steps, column) for column in values.T]
        return [lowest for lowest, _ in columns], [highest for _, highest in columns]
    at_min, at_max = values.argmin(axis=0), values.argmax(axis=0)
    columns_ = np.arange(values.shape[1])
    return (
        list(zip(values[at_min, columns_].tolist(), steps[at_min].tolist(), strict=True)),
        list(zip(values[at_max, columns_].tolist(), steps[at_max].tolist(), strict=True)),
    )


def _extremes_of_column(steps: IntArray, column: FloatArray) -> tuple[_Reached, _Reached]:
    (real,) = np.nonzero(~np.isnan(column))
    if not len(real):
        return (None, None), (None, None)
    at_min, at_max = real[column[real].argmin()], real[column[real].argmax()]
    return (float(column[at_min]), int(steps[at_min])), (float(column[at_max]), int(steps[at_max]))


def _fold_event(state: StreamState, event: Event) -> None:
    state.last_ns = max(state.last_ns, event.time_ns)
    match event:
        case Progress():
            _fold_progress(state, event)
        case Tagged():
            state.tags |= dict.fromkeys(event.add, (event.time_ns, True))
            state.tags |= dict.fromkeys(event.remove, (event.time_ns, False))
        case Noted():
            state.note = (event.time_ns, event.text)
        case Renamed():
            state.name = (event.time_ns, event.name)
        case Configured():
            state.config |= event.values
            state.texts |= event.texts
        case Labelled():
            state.labels |= {name: (event.time_ns, text) for name, text in event.put.items()}
            state.labels |= dict.fromkeys(event.remove, (event.time_ns, None))
        case Warned():
            if len(state.warnings) < MAX_WARNINGS:
                state.warnings.append(event.text)
        case Opened():
            state.opened_ns = state.opened_ns or event.time_ns
        case Finished():
            state.finished_ns = event.time_ns
        case Failed():
            state.failed = event
        case Started():
            state.started, state.ended = state.started or event, None
        case Environment():
            state.environment = event
        case Ended():
            if event.attempt:
                _fold_reaped(state, event)
            else:
                state.ended = event
        case _:
            _fold_edit(state, event)


def _fold_reaped(state: StreamState, event: Ended) -> None:
    """The first word about an end counts, unless it only said that nothing was heard: that may happen again."""
    known = state.reaped.get(event.attempt)
    if known is None or known.state == RunState.LOST:
        state.reaped[event.attempt] = event


def _fold_edit(state: StreamState, event: Event) -> None:
    match event:
        case StopRequested():
            state.stop = event
        case Requeued():
            state.requeued, state.stop = event, None
        case Held():
            state.held = event
        case Released():
            state.held = None
        case Reordered():
            state.priority = event.priority if event.priority is not None else state.priority
            state.position = event.position if event.position is not None else state.position
        case Filed():
            state.experiment = event.experiment
        case Trashed():
            state.is_trashed = True
        case Restored():
            state.is_trashed = False
        case _:
            pass  # media, files and output have rows or readers of their own


def _fold_progress(state: StreamState, event: Progress) -> None:
    known = state.progress
    if known is None or event.done < known.first_done:  # a bar that begins anew begins anew here
        known = ProgressState(event.time_ns, event.done, event.time_ns, event.done, event.total, event.label)
    state.progress = ProgressState(
        known.first_ns, known.first_done, event.time_ns, event.done, event.total, event.label
    )
