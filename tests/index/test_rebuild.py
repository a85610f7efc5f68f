"""A rebuilt index equals a grown one, whatever happened and however it arrived."""

import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard.database import Database
from runyard.index import Index
from runyard.index.fold import metric_state
from runyard.index.states import MetricState, join
from runyard.journal.events import (
    ArtifactStored,
    Ended,
    Event,
    Failed,
    Finished,
    Held,
    Media,
    Noted,
    Opened,
    Progress,
    Released,
    Renamed,
    Reordered,
    Requeued,
    Restored,
    StopRequested,
    Tagged,
    Trashed,
    Warned,
)
from runyard.records import RunState, decode_spec
from tests.index.builders import Yard, a_spec, all_rows, at, started
from tests.postgresql import TEMPLATE, PostgreSQL

SECONDS = st.integers(0, 50)
TEXT = st.text("ab'✓", max_size=3)
STATES = st.sampled_from([str(state) for state in RunState if state.is_ended] + ["UNHEARD_OF"])
VALUES = st.sampled_from([0.0, 1.5, -2.0, float("nan"), float("inf"), float("-inf"), 1e300])
BLOBS = st.sampled_from([b"", b"x" * 300_000, b"x" * 600_000])  # longer than a segment
KEY_SETS = st.sampled_from([("loss",), ("loss", "acc"), ("acc",), ("it's", "loss")])


def made(event: Callable[..., Event], /, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Event]:
    return st.builds(event, time_ns=SECONDS.map(at), **fields)


MAIN_EVENTS = st.one_of(
    made(Opened, pid=st.just(1)),
    made(Finished),
    made(Failed, type=TEXT, message=TEXT, traceback=TEXT, fingerprint=TEXT),
    made(Tagged, add=st.tuples(TEXT), remove=st.tuples(TEXT)),
    made(Noted, text=TEXT),
    made(Progress, done=st.floats(0, 10), total=st.just(10.0)),
    made(Warned, text=TEXT),
    made(Media, key=TEXT, step=SECONDS, kind=st.just("text"), mime=TEXT, data=BLOBS),
)
HOST_EVENTS = st.one_of(
    st.builds(started, SECONDS),
    made(Ended, state=STATES, reason=TEXT, fingerprint=TEXT),
    made(ArtifactStored, name=TEXT, sha256=TEXT, size_bytes=SECONDS),
)
EDITS = st.one_of(
    made(Ended, state=STATES, attempt=st.integers(1, 3)),
    made(Renamed, name=TEXT),
    made(Noted, text=TEXT),
    made(Tagged, add=st.tuples(TEXT), remove=st.tuples(TEXT)),
    made(StopRequested, by=TEXT, attempt=st.integers(0, 2)),
    made(Requeued, by=TEXT, after_attempt=st.integers(0, 2)),
    made(Held, by=TEXT),
    made(Released, by=TEXT),
    made(Reordered, by=TEXT, priority=st.none() | SECONDS, position=st.none() | st.floats(0, 1)),
    made(Trashed, by=TEXT),
    made(Restored, by=TEXT),
)
# (keys, first step, number of rows, value); the numbers of rows reach over the border of a segment
ROWS = st.tuples(KEY_SETS, st.integers(0, 40), st.sampled_from([1, 2, 30, 6000]), VALUES)
STREAMS = st.dictionaries(
    st.tuples(st.integers(1, 3), st.sampled_from(["main", "host", "rank1", "main-77"])),
    st.lists(st.one_of(ROWS, MAIN_EVENTS, HOST_EVENTS), max_size=5),
    max_size=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    streams=STREAMS,
    edits=st.lists(EDITS, max_size=4),
    is_queued=st.booleans(),
    kind=st.sampled_from(["train", "external"]),
    data=st.data(),
)
def test_the_order_and_the_size_of_deliveries_do_not_matter(
    streams: dict[tuple[int, str], list[object]], edits: list[Event], is_queued: bool, kind: str, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        yard = Yard(Path(folder) / "home")
        yard.add(a_spec(is_queued=is_queued, kind=kind, retries=1, tags=("a", "b")))
        for (attempt, stream), items in streams.items():
            write(yard, attempt, stream, items)
        if edits:
            yard.edit(*edits)

        deliver_in_random_pieces(yard, data)
        grown = yard.rows()
        yard.index.reindex()
        rebuilt = yard.rows()
        fresh = Database.open(Path(folder) / "other.db")
        other = Index(fresh, yard.home)
        other.catch_up()

        assert rebuilt == grown
        assert all_rows(fresh) == grown
        fresh.dispose()
        yard.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(streams=STREAMS, edits=st.lists(EDITS, max_size=4), is_queued=st.booleans(), data=st.data())
def test_deliveries_to_postgresql_grow_the_rows_that_sqlite_builds(
    postgresql_server: PostgreSQL,
    streams: dict[tuple[int, str], list[object]],
    edits: list[Event],
    is_queued: bool,
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as folder, postgresql_server.database(TEMPLATE) as url:
        yard = Yard(Path(folder) / "home", url)
        yard.add(a_spec(is_queued=is_queued, retries=1, tags=("a", "b")))
        for (attempt, stream), items in streams.items():
            write(yard, attempt, stream, items)
        if edits:
            yard.edit(*edits)

        deliver_in_random_pieces(yard, data)
        grown = yard.rows()
        sqlite = Database.open(Path(folder) / "other.db")
        Index(sqlite, yard.home).reindex()

        assert all_rows(sqlite) == grown
        sqlite.dispose()
        yard.close()


@pytest.mark.parametrize("steps", [(3, 0, 4), (3, 0, 3), (0, 3, 3), (3, 3, 0)])
def test_a_metric_whose_steps_go_back_is_summed_up_in_one_way(yard: Yard, steps: tuple[int, ...]) -> None:
    yard.add()
    journal = yard.journal()
    for step in steps:
        journal.log(step, {"loss": 1.0})
        yard.index.catch_up()
    grown = yard.rows()

    yard.index.reindex()

    assert yard.rows() == grown


POINTS = st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([-1.0, -0.0, 0.0, 1.5, math.nan, math.inf]))


@given(points=st.lists(POINTS, min_size=2, max_size=7), data=st.data())
def test_pieces_of_a_metric_join_to_what_the_whole_is(
    points: list[tuple[int, int, float]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(points) - 1))

    joined = join(summed_up(points[:cut]), summed_up(points[cut:]))

    assert repr(joined) == repr(summed_up(points))  # repr, since NaN equals nothing


def summed_up(points: list[tuple[int, int, float]]) -> MetricState:
    steps, times, values = zip(*points, strict=True)
    return metric_state(np.array(steps), np.array(times), np.array(values))


def write(yard: Yard, attempt: int, stream: str, items: list[object]) -> None:
    journal = yard.journal("r1", attempt, stream)
    for item in items:
        if isinstance(item, Event):
            journal.event(item)
        elif isinstance(item, tuple):
            keys, first, count, value = item
            journal.log_many(range(first, first + count), {key: [value] * count for key in keys})


def deliver_in_random_pieces(yard: Yard, data: st.DataObject) -> None:
    waiting = {}
    for attempt in yard.home.run("r1").attempts():
        for stream in attempt.streams():
            waiting[attempt.number, stream] = attempt.journal(stream).read_bytes()
    if yard.home.run("r1").edits.exists():
        waiting[0, "edits"] = yard.home.run("r1").edits.read_bytes()
    yard.index.add_run(decode_spec(yard.home.run("r1").spec.read_bytes()))
    identities = sorted(waiting)
    for _ in range(12):
        if not identities:
            break
        attempt_number, stream = identity = data.draw(st.sampled_from(identities))
        whole = waiting[identity]
        end = data.draw(st.integers(0, len(whole)))
        offset = yard.index.offset("r1", attempt_number, stream)
        begin = data.draw(st.integers(0, offset))
        yard.index.apply("r1", attempt_number, stream, begin, whole[begin : max(end, begin)])
    for attempt_number, stream in data.draw(st.permutations(identities)):
        offset = yard.index.offset("r1", attempt_number, stream)
        yard.index.apply("r1", attempt_number, stream, offset, waiting[attempt_number, stream][offset:])


def test_the_trash_is_rebuilt_too(yard: Yard) -> None:
    yard.add()
    yard.journal().log_many(range(10), {"loss": [1.0] * 10})
    yard.journal(stream="host").event(started(), Ended(time_ns=at(1), state="COMPLETED"))
    yard.edit(Trashed(time_ns=at(2), by="anna"))
    yard.run()
    shutil.move(yard.home.run("r1").path, yard.home.trash / "r1")
    grown = yard.rows()

    yard.index.reindex()

    assert yard.rows() == grown
    assert len(yard.index.series("r1", "loss")) == 10


def test_reindex_tells_how_far_it_is_and_forgets_what_has_no_folder(yard: Yard) -> None:
    for number in range(3):
        yard.add(a_spec(f"r{number}"))
    yard.index.add_run(a_spec("ghost"))
    told: list[tuple[int, int]] = []
    assert yard.index.needs_reindex

    assert yard.index.reindex(lambda done, total: told.append((done, total))) == 3

    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [run.id for run in yard.index.find(sort="id")] == ["r0", "r1", "r2"]
    assert not yard.index.needs_reindex


def test_a_damaged_stream_does_not_hide_the_others(yard: Yard) -> None:
    yard.add()
    yard.journal().log(1, {"loss": 1.0})
    yard.journal(stream="host").event(started())
    yard.index.journal_path("r1", 1, "rank1").write_bytes(b"not a journal at all")
    yard.add(a_spec("r2")).spec.write_bytes(b"{")

    assert yard.index.reindex() == 2

    assert yard.index.get("r1").state == "RUNNING"
    problems = yard.index.catch_up()
    assert len(problems) == 2
    assert "rank1.journal: these bytes do not begin like a Runyard journal" in problems[0]
    assert "run.json: " in problems[1]
