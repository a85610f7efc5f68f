"""Whatever is written to a journal is read back, however the bytes arrive; damaged bytes never become data."""

import math
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.errors import FormatUnknown, JournalDamaged
from runyard.journal import JournalWriter, Schema
from runyard.journal import format as fmt
from runyard.journal.events import Event, Media, Noted, Output, Progress, Tagged
from runyard.journal.reader import Decoder, EventAt, Rows, read_journal, repair
from runyard.journal.writer import frame

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(max_size=40)
KEY_SETS: Sequence[tuple[str, ...]] = (("loss",), ("a", "b"), ("ä/ö", "x", "y"), tuple(f"k{n}" for n in range(20)))

ROW = st.integers(0, len(KEY_SETS) - 1).flatmap(
    lambda number: st.tuples(
        st.just(KEY_SETS[number]),
        INT64,
        INT64,
        st.lists(st.floats(), min_size=len(KEY_SETS[number]), max_size=len(KEY_SETS[number])),
    )
)
EVENT = st.one_of(
    st.builds(Noted, time_ns=INT64, text=TEXT),
    st.builds(Output, time_ns=INT64, text=TEXT),
    st.builds(Tagged, time_ns=INT64, add=st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(Progress, time_ns=INT64, done=st.floats(allow_nan=False), total=st.floats(allow_nan=False)),
    st.builds(
        Media,
        time_ns=INT64,
        key=TEXT,
        step=INT64,
        kind=st.just("text"),
        mime=st.just("text/plain"),
        data=st.binary(max_size=200),
    ),
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["e", "time_ns", "run", "x"]), inner),
    max_leaves=8,
)
RowTuple = tuple[tuple[str, ...], int, int, list[float]]
Item = RowTuple | Event
ITEMS = st.lists(st.one_of(ROW, EVENT), max_size=40)
RUNS_OF_ROWS = st.lists(st.tuples(ROW, st.integers(1, 60)), max_size=5).map(
    lambda pairs: [row for row, count in pairs for _ in range(count)]
)


def journal_of(items: Sequence[Item]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: hypothesis calls this many times in one test
        path = Path(folder) / "main.journal"
        writer = JournalWriter(path, run="abc", attempt=1, stream="main")
        schemas: dict[tuple[str, ...], Schema] = {}
        for item in items:
            if isinstance(item, Event):
                writer.event(item)
                continue
            keys, step, time, values = item
            if keys not in schemas:
                schemas[keys] = writer.declare(keys)
            writer.append(schemas[keys].encode(step, time, values))
        writer.close()
        return path.read_bytes()


def flat(items: Sequence[Rows | EventAt]) -> list[tuple[object, ...]]:
    """Decoded items one by one, as comparable values: rows with their bits, so that NaN equals NaN."""
    found: list[tuple[int, tuple[object, ...]]] = []
    for item in items:
        if isinstance(item, EventAt):
            found.append((item.offset, ("event", item.event)))
            continue
        for number in range(len(item.steps)):
            row = (item.keys, int(item.steps[number]), int(item.times[number]), item.values[number].tobytes())
            found.append((item.offset, ("row", *row)))
    return [value for _, value in found]


def expected(items: Sequence[Item]) -> list[tuple[object, ...]]:
    return [
        ("event", item) if isinstance(item, Event) else ("row", *item[:3], struct.pack(f"<{len(item[3])}d", *item[3]))
        for item in items
    ]


def in_order_of_kinds(values: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Events among rows keep their order; rows of a cycle come grouped by keys, so compare key by key."""
    return sorted(values, key=lambda value: str(value[1]) if value[0] == "row" else "")


@given(items=ITEMS)
def test_a_journal_decodes_to_what_was_written(items: list[Item]) -> None:
    decoder = Decoder()

    found = decoder.feed(journal_of(items))

    assert in_order_of_kinds(flat(found)) == in_order_of_kinds(expected(items))
    assert decoder.problem == ""
    assert decoder.header is not None
    assert decoder.header.run == "abc"


@given(items=st.one_of(ITEMS, RUNS_OF_ROWS), cuts=st.lists(st.floats(0, 1), max_size=6))
def test_it_decodes_the_same_however_it_is_cut_and_resumed(items: list[Item], cuts: list[float]) -> None:
    data = journal_of(items)
    found: list[Rows | EventAt] = []
    decoder = Decoder()

    for end in [*sorted(int(cut * len(data)) for cut in cuts), len(data)]:
        decoder = Decoder.resume(decoder.state())  # as an index does that was restarted in between
        found += decoder.feed(data[decoder.offset : end])

    assert in_order_of_kinds(flat(found)) == in_order_of_kinds(expected(items))
    assert decoder.offset == len(data)


@given(items=ITEMS, cut=st.floats(0, 1))
def test_a_torn_tail_costs_only_the_record_that_was_torn(items: list[Item], cut: float) -> None:
    data = journal_of(items)
    decoder = Decoder()

    found = decoder.feed(data[: int(cut * len(data))])

    whole = in_order_of_kinds(expected(items))
    assert all(value in whole for value in flat(found))
    assert decoder.problem == ""


@given(items=ITEMS.filter(bool), place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_flipped_bits_never_become_data(items: list[Item], place: float, flip: int) -> None:
    data = bytearray(journal_of(items))
    data[int(place * len(data))] ^= flip
    decoder = Decoder()

    try:
        found = decoder.feed(bytes(data))
    except (FormatUnknown, JournalDamaged):
        return

    whole = in_order_of_kinds(expected(items))
    assert all(value in whole for value in flat(found))
    assert len(flat(found)) <= len(whole)


@given(kind=st.integers(1, 4), body=st.one_of(st.binary(max_size=60), ODD.map(msgspec.msgpack.encode)))
def test_decoding_stops_in_front_of_an_intact_record_that_we_never_wrote(kind: int, body: bytes) -> None:
    data = journal_of([Noted(time_ns=1, text="before")])
    decoder = Decoder()

    found = decoder.feed(data + frame(kind, body, schema=0))

    assert flat(found)[0] == ("event", Noted(time_ns=1, text="before"))
    assert decoder.offset > len(data) or (decoder.offset == len(data) and decoder.problem)


@pytest.mark.parametrize(
    "body",
    [
        b"\x91" * 5000 + b"\x90",  # lists in lists, deeper than any decoder goes
        msgspec.msgpack.encode({"e": "noted", "text": "far future", "time_ns": 1 << 63}),
        msgspec.msgpack.encode({"e": "artifact", "time_ns": 1, "name": "x", "sha256": "", "size_bytes": (1 << 64) - 1}),
    ],
    ids=["deep", "time", "size"],
)
def test_a_hostile_record_ends_decoding_and_keeps_what_stands_before_it(body: bytes) -> None:
    data = journal_of([Noted(time_ns=1, text="kept")]) + frame(fmt.KIND_EVENT, body)
    decoder = Decoder()

    items = decoder.feed(data)

    assert [item.event for item in items if isinstance(item, EventAt)] == [Noted(time_ns=1, text="kept")]
    assert "cannot be read" in decoder.problem


def test_nan_infinities_and_the_ends_of_int64_survive() -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 5e-324]
    rows: list[Item] = [(("x",), step, -5, [value]) for step in (-(1 << 63), (1 << 63) - 1) for value in values]

    found = Decoder().feed(journal_of(rows))

    assert in_order_of_kinds(flat(found)) == in_order_of_kinds(expected(rows))


def test_neighbouring_rows_decode_as_one_block() -> None:
    rows: list[Item] = [(("a", "b"), step, step * 10, [step * 0.5, -step]) for step in range(10_000)]

    found = Decoder().feed(journal_of(rows))

    assert len(found) == 1
    block = found[0]
    assert isinstance(block, Rows)
    assert block.values.shape == (10_000, 2)
    assert np.array_equal(block.values[:, 0], np.arange(10_000) * 0.5)


def test_rows_logged_in_turn_decode_as_few_blocks() -> None:
    rows: list[Item] = [((f"k{step % 3}",), step, 0, [1.0]) for step in range(3_000)]

    assert len(Decoder().feed(journal_of(rows))) <= 6


def test_repair_cuts_the_torn_tail_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "main.journal"
    data = journal_of([Noted(time_ns=1, text="kept"), Noted(time_ns=2, text="torn")])
    path.write_bytes(data[:-3])

    cut = repair(path)

    items, decoder = read_journal(path)
    assert [item.event for item in items if isinstance(item, EventAt)] == [Noted(time_ns=1, text="kept")]
    assert decoder.offset == path.stat().st_size
    assert cut == len(path.with_name("main.journal.torn").read_bytes())
    assert path.read_bytes() + path.with_name("main.journal.torn").read_bytes() == data[:-3]


def test_repair_leaves_an_intact_journal_alone(tmp_path: Path) -> None:
    path = tmp_path / "main.journal"
    path.write_bytes(journal_of([Noted(time_ns=1, text="kept")]))

    assert repair(path) == 0
    assert not path.with_name("main.journal.torn").exists()


def test_a_journal_of_a_newer_format_is_refused_by_naming_it() -> None:
    with pytest.raises(FormatUnknown, match="format 9"):
        Decoder().feed(b"RUNYARD\x09" + b"\0" * 40)


def test_bytes_that_are_no_journal_are_refused() -> None:
    with pytest.raises(JournalDamaged):
        Decoder().feed(b"PK\x03\x04 something else")
