"""Merging: what was asked for and the states of all streams become what a run is.

A pure function. It knows no clock and no order of arrival.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from runyard.index.rows import NOT_STARTED, MetricSummary, ProgressRow, RunRow, from_ns
from runyard.index.states import MetricState, StreamState, join
from runyard.journal import EDITS, HOST, MAIN
from runyard.journal.events import Ended
from runyard.records import RunSpec, RunState

OWN_LABELS = "runyard."  # what labels begin with that are not the other tracker's
PARENT_LABEL = "runyard.parent"  # the id of the run that started this one, where that became known later

StreamId = tuple[int, str]  # attempt and name; edits belong to attempt 0
States = Mapping[StreamId, StreamState]
Trim = Callable[[int, str, int], MetricState | None]  # attempt, key, cut -> its points with steps < cut


class Merged(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the journals add to the spec of a run."""

    name: str
    state: RunState
    reason: str = ""
    attempt: int = 0
    started_ns: int | None = None
    attempt_started_ns: int | None = None
    ended_ns: int | None = None
    last_seen_ns: int | None = None
    duration_s: float | None = None
    user: str = ""
    host: str = ""
    devices: tuple[str, ...] = ()
    device_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    note: str = ""
    config: dict[str, Any] = {}  # what came later, by dotted key
    labels: dict[str, str] = {}
    experiment: str | None = None  # another one than it was made for
    summary: dict[str, MetricSummary] = {}
    progress: ProgressRow | None = None
    warnings: tuple[str, ...] = ()
    fingerprint: str = ""
    priority: int = 0
    position: float | None = None
    is_trashed: bool = False


encode_merged = msgspec.msgpack.Encoder().encode
decode_merged = msgspec.msgpack.Decoder(Merged).decode


def merge(spec: RunSpec, states: States, *, trim: Trim) -> Merged:
    """What the run is now.

    Args:
        trim: sums up the points of a metric in an attempt below a step; needed where a later
            attempt went back to a checkpoint, so that points were logged twice.
    """
    edits = states.get((0, EDITS), StreamState())
    attempts = _attempts(spec, states)
    ends = _ends(spec, states, attempts)
    latest = max(attempts, default=0)
    state, reason = _state(spec, edits, latest, ends)
    host = states.get((latest, HOST), StreamState())
    started = host.started
    failed = next((s.failed for s in _of_attempt(states, latest) if s.failed), None)
    end = ends.get(latest)
    if not state.is_ended or (end and state is RunState.STOPPED and _known_state(end.state) is not state):
        end = None  # it waits again, or was stopped while it waited
    seen = [s.last_ns for (attempt, _), s in states.items() if attempt and s.last_ns]
    return Merged(
        name=edits.name[1] if edits.name else spec.name,
        state=state,
        reason=reason,
        attempt=latest,
        started_ns=min(attempts.values(), default=None),
        attempt_started_ns=attempts.get(latest),
        ended_ns=end.time_ns if end else _stopped_ns(edits, state),
        last_seen_ns=max(seen, default=None),
        duration_s=_duration_s(attempts, ends),
        user=spec.user or (started.user if started else ""),
        host=(started.host if started else "") or spec.host,
        devices=started.devices if started else (),
        device_names=started.device_names if started else (),
        tags=_tags(spec, states),
        note=_note(spec, states),
        config={key: value for _, s in sorted(states.items(), key=_by_id) for key, value in s.config.items()},
        labels=_labels(states),
        experiment=edits.experiment,
        summary=_summary(states, trim),
        progress=_progress(states),
        warnings=tuple(warning for _, s in sorted(states.items(), key=_by_id) for warning in s.warnings),
        fingerprint=(end.fingerprint or (failed.fingerprint if failed else "")) if end else "",
        priority=edits.priority if edits.priority is not None else spec.priority,
        position=edits.position,
        is_trashed=edits.is_trashed,
    )


def run_row(spec: RunSpec, merged: Merged) -> RunRow:
    """What the index answers with."""
    return RunRow(
        id=spec.id,
        project=spec.project,
        name=merged.name,
        experiment=merged.experiment if merged.experiment is not None else spec.experiment,
        grid=spec.grid,
        kind=spec.kind,
        state=merged.state,
        reason=merged.reason,
        attempt=merged.attempt,
        created_at=spec.created_at,
        started_at=_at(merged.started_ns),
        attempt_started_at=_at(merged.attempt_started_ns),
        ended_at=_at(merged.ended_ns),
        last_seen_at=_at(merged.last_seen_ns),
        duration_s=merged.duration_s,
        user=merged.user,
        host=merged.host,
        devices=merged.devices,
        device_names=merged.device_names,
        tags=merged.tags,
        note=merged.note,
        seed=spec.seed,
        config=nested(spec.config, merged.config),
        labels=merged.labels,
        parent=parent_of(spec, merged),
        source=spec.source,
        config_id=spec.config_id,
        group=spec.group,
        changed=spec.changed,
        summary=merged.summary,
        progress=merged.progress,
        warnings=merged.warnings,
        fingerprint=merged.fingerprint,
        priority=merged.priority,
        position=merged.position,
        trashed=merged.is_trashed,
        data=spec.data,
        code=spec.code,
    )


def parent_of(spec: RunSpec, merged: Merged) -> str | None:
    """The id of the run that this one is a part of."""
    return merged.labels.get(PARENT_LABEL) or spec.parent


def nested(config: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """A config with settings by dotted key put where they belong.

    Another system may have both `a` and `a.b`: what finds a value in its way stays dotted, what finds a section there
    stands in it without a name. Either has its own dotted key again.
    """
    if not more:
        return dict(config)
    whole = _copied(config)
    for key in sorted(more):
        *sections, last = key.split(".")
        place = _section(whole, sections) if all(sections) and last else None
        if place is None:
            whole[key] = more[key]
        elif isinstance(place.get(last), dict):
            place[last][""] = more[key]
        else:
            place[last] = more[key]
    return whole


def _section(config: dict[str, Any], names: list[str]) -> dict[str, Any] | None:
    """The section of these names, made where it is missing; None if a value is in the way."""
    for name in names:
        inner = config.setdefault(name, {})
        if not isinstance(inner, dict):
            return None
        config = inner
    return config


def _copied(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, dict) else value for key, value in config.items()}


def ended_attempts(states: States) -> set[int]:
    """The attempts of which a supervisor or a reaper said that they ended."""
    told = {attempt for (attempt, stream), state in states.items() if stream == HOST and state.ended}
    return told | set(states.get((0, EDITS), StreamState()).reaped)


def cut_of(states: States, attempt: int, key: str) -> int | None:
    """The step from which on later attempts replace the points of this one; None: nowhere.

    What the supervisor measures is never replaced: time does not go back to a checkpoint.
    """
    firsts = [
        state.metrics[key].first_step
        for (later, stream), state in states.items()
        if later > attempt and stream != HOST and key in state.metrics
    ]
    return min(firsts, default=None)


def _attempts(spec: RunSpec, states: States) -> dict[int, int]:
    """The attempts that started, and when (nanoseconds)."""
    started: dict[int, int] = {}
    for (attempt, stream), state in states.items():
        if stream == HOST and (state.started or state.ended):
            event = state.started or state.ended
            started[attempt] = event.time_ns if event else 0
        elif stream == MAIN and spec.kind == "external" and state.opened_ns is not None:
            started.setdefault(attempt, state.opened_ns)
    for attempt, ended in states.get((0, EDITS), StreamState()).reaped.items():
        started.setdefault(attempt, ended.time_ns)
    return started


def _ends(spec: RunSpec, states: States, attempts: Mapping[int, int]) -> dict[int, Ended]:
    """How each ended attempt ended: its supervisor knows best, then a reaper, then the process itself."""
    reaped = states.get((0, EDITS), StreamState()).reaped
    ends: dict[int, Ended] = {}
    for attempt in attempts:
        host = states.get((attempt, HOST))
        end = (host.ended if host else None) or _last_word(reaped.get(attempt), _of_attempt(states, attempt))
        if end is None and host is None and spec.kind == "external":
            end = _own_end(states.get((attempt, MAIN), StreamState()))
        if end is not None:
            failed = next((s.failed for s in _of_attempt(states, attempt) if s.failed), None)
            if failed and not end.reason:
                end = msgspec.structs.replace(end, reason=f"{failed.type}: {failed.message}")
            ends[attempt] = end
    return ends


def _last_word(reaped: Ended | None, streams: list[StreamState]) -> Ended | None:
    """What a reaper said, unless it gave up an attempt of which something was heard afterwards."""
    if reaped is None or _known_state(reaped.state) is not RunState.LOST:
        return reaped
    heard_ns = max((state.last_ns for state in streams if state.last_ns), default=0)
    return None if heard_ns > reaped.time_ns else reaped


def _own_end(main: StreamState) -> Ended | None:
    """The end of an imported run: nobody watched it, so its own word counts."""
    if main.failed:
        state = RunState.OUT_OF_MEMORY if main.failed.out_of_memory else RunState.FAILED
        return Ended(time_ns=main.failed.time_ns, state=state)
    return Ended(time_ns=main.finished_ns, state=RunState.COMPLETED) if main.finished_ns else None


def _state(spec: RunSpec, edits: StreamState, latest: int, ends: Mapping[int, Ended]) -> tuple[RunState, str]:
    if latest and latest not in ends:
        return RunState.RUNNING, f"asked to stop{_by(edits)}" if edits.stop else ""
    is_requeued = edits.requeued is not None and edits.requeued.after_attempt == latest
    if not latest or is_requeued:
        return _waiting(spec, edits, "")
    end = ends[latest]
    state = _known_state(end.state)
    if not (spec.is_queued and state.is_resumable):
        return state, end.reason
    since = edits.requeued.after_attempt if edits.requeued else 0
    interruptions = sum(_known_state(e.state).is_resumable for attempt, e in ends.items() if attempt > since)
    if interruptions > spec.retries or (edits.stop and edits.stop.attempt):
        return state, end.reason
    return _waiting(spec, edits, f"{state.lower()}: {end.reason or 'no reason known'}; will resume")


def _waiting(spec: RunSpec, edits: StreamState, reason: str) -> tuple[RunState, str]:
    if edits.stop:
        return RunState.STOPPED, f"stopped{_by(edits)}"
    if edits.held:
        return RunState.HELD, edits.held.why or f"held by {edits.held.by}"
    return RunState.QUEUED, reason or ("" if spec.is_queued or edits.requeued else NOT_STARTED)


def _known_state(text: str) -> RunState:
    """The state of an end; one that a newer Runyard invented is LOST here, since nothing is known about it."""
    try:
        return RunState(text)
    except ValueError:
        return RunState.LOST


def _by(edits: StreamState) -> str:
    stop = edits.stop
    if stop is None:
        return ""
    return f" by {stop.by}" + (f": {stop.why}" if stop.why else "")


def _stopped_ns(edits: StreamState, state: RunState) -> int | None:
    return edits.stop.time_ns if state is RunState.STOPPED and edits.stop else None


def _duration_s(attempts: Mapping[int, int], ends: Mapping[int, Ended]) -> float | None:
    if not ends:
        return None
    return sum(max(end.time_ns - attempts[attempt], 0) for attempt, end in ends.items()) / 1e9


def _tags(spec: RunSpec, states: States) -> tuple[str, ...]:
    tags = dict.fromkeys(spec.tags, (0, True))
    for _, state in sorted(states.items(), key=_by_id):
        for tag, (time_ns, is_added) in state.tags.items():
            if time_ns >= tags.get(tag, (0, False))[0]:
                tags[tag] = (time_ns, is_added)
    return tuple(sorted(tag for tag, (_, is_added) in tags.items() if is_added))


def _note(spec: RunSpec, states: States) -> str:
    notes = [(state.note[0], identity, state.note[1]) for identity, state in states.items() if state.note]
    return max(notes)[2] if notes else spec.note


def _labels(states: States) -> dict[str, str]:
    labels: dict[str, tuple[int, str | None]] = {}
    for _, state in sorted(states.items(), key=_by_id):
        for name, (time_ns, text) in state.labels.items():
            if time_ns >= labels.get(name, (0, None))[0]:
                labels[name] = (time_ns, text)
    return {name: text for name, (_, text) in sorted(labels.items()) if text is not None}


def _progress(states: States) -> ProgressRow | None:
    found = [(attempt, s.progress.last_ns, stream) for (attempt, stream), s in states.items() if s.progress]
    if not found:
        return None
    attempt, _, stream = max(found)
    progress = states[attempt, stream].progress
    assert progress is not None
    return ProgressRow(
        done=progress.done,
        total=progress.total,
        label=progress.label,
        first_done=progress.first_done,
        first_at=from_ns(progress.first_ns),
        last_at=from_ns(progress.last_ns),
    )


def _summary(states: States, trim: Trim) -> dict[str, MetricSummary]:
    by_key: dict[str, list[tuple[int, str, MetricState]]] = {}
    for (attempt, stream), state in sorted(states.items(), key=_by_id):
        for key, metric in state.metrics.items():
            by_key.setdefault(key, []).append((attempt, stream, metric))
    summary: dict[str, MetricSummary] = {}
    for key in sorted(by_key):
        joined = _joined(by_key[key], states, key, trim)
        if joined is not None:
            summary[key] = MetricSummary(
                last=joined.last,
                last_step=joined.last_step,
                min=joined.min,
                min_step=joined.min_step,
                max=joined.max,
                max_step=joined.max_step,
                count=joined.count,
            )
    return summary


def _joined(parts: list[tuple[int, str, MetricState]], states: States, key: str, trim: Trim) -> MetricState | None:
    if len(parts) == 1:
        return parts[0][2]
    joined: MetricState | None = None
    for attempt in sorted({attempt for attempt, _, _ in parts}):
        streams = [(metric.last_ns, stream, metric) for other, stream, metric in parts if other == attempt]
        whole: MetricState | None = None
        for _, _, metric in sorted(streams, key=lambda part: part[:2]):
            whole = join(whole, metric) if whole else metric
        assert whole is not None
        if {stream for _, stream, _ in streams} != {HOST}:
            cut = cut_of(states, attempt, key)
            if cut is not None and whole.highest_step >= cut:
                kept = None if whole.lowest_step >= cut else trim(attempt, key, cut)
                if kept is None:
                    continue
                whole = kept
        joined = join(joined, whole) if joined else whole
    return joined


def _of_attempt(states: States, attempt: int) -> list[StreamState]:
    return [state for (other, _), state in sorted(states.items(), key=_by_id) if other == attempt]


def _by_id(item: tuple[StreamId, StreamState]) -> StreamId:
    return item[0]


def _at(time_ns: int | None) -> datetime | None:
    return None if time_ns is None else from_ns(time_ns)
