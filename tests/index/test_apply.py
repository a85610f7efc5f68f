"""Bytes become rows exactly once."""

import math
import multiprocessing
import zlib
from pathlib import Path

import msgspec
import pytest

from runyard.errors import FormatUnknown, JournalDamaged, NotFound
from runyard.index import MetricSummary
from runyard.index.rows import from_ns
from runyard.journal.events import ArtifactStored, Media
from tests.index.builders import Yard, a_spec, at, ended, started

SPAWN = multiprocessing.get_context("spawn")


def summary(yard: Yard, key: str = "loss") -> MetricSummary:
    return yard.index.get("r1").summary[key]


def test_what_was_applied_is_skipped(yard: Yard) -> None:
    yard.add()
    first = yard.journal().log_many(range(10), {"loss": [0.5] * 10}).data
    whole = yard.journal().log_many(range(10, 20), {"loss": [0.4] * 10}).data

    assert yard.index.apply("r1", 1, "main", 0, first) == len(first)
    assert yard.index.apply("r1", 1, "main", 0, first) == len(first)
    assert yard.index.apply("r1", 1, "main", 0, whole) == len(whole)
    assert yard.index.apply("r1", 1, "main", 40, whole[40:60]) == len(whole)

    assert summary(yard).count == 20
    assert yard.index.offset("r1", 1, "main") == len(whole)


def test_a_gap_is_refused(yard: Yard) -> None:
    yard.add()
    data = yard.journal().log(1, {"loss": 0.5}).data
    yard.index.apply("r1", 1, "main", 0, data)

    with pytest.raises(ValueError, match=f"bytes {len(data)} to {len(data) + 1} of r1/1/main are missing"):
        yard.index.apply("r1", 1, "main", len(data) + 1, b"x")


def test_a_torn_tail_waits_for_its_rest(yard: Yard) -> None:
    yard.add()
    data = yard.journal().log(1, {"loss": 0.5}).log(2, {"loss": 0.4}).data

    offset = yard.index.apply("r1", 1, "main", 0, data[:-5])
    assert offset < len(data) - 5
    assert summary(yard).count == 1

    assert yard.index.apply("r1", 1, "main", offset, data[offset:]) == len(data)
    assert summary(yard).count == 2


def test_nothing_behind_a_damaged_record_is_believed(yard: Yard) -> None:
    yard.add()
    data = bytearray(yard.journal().log_many(range(50), {"loss": [0.5] * 50}).data)
    data[-40 * 36] ^= 0xFF

    offset = yard.index.apply("r1", 1, "main", 0, bytes(data))

    assert offset < len(data)
    assert summary(yard).count < 50
    assert yard.index.apply("r1", 1, "main", offset, bytes(data[offset:])) == offset


def test_bytes_that_are_no_journal_leave_nothing(yard: Yard) -> None:
    yard.add()

    with pytest.raises(JournalDamaged, match="do not begin like a Runyard journal"):
        yard.index.apply("r1", 1, "main", 0, b"PK\x03\x04 something else")
    with pytest.raises(FormatUnknown, match="a journal of format 9"):
        yard.index.apply("r1", 1, "main", 0, b"RUNYARD\x09 from the future")

    assert yard.rows()["streams"] == []


def test_the_journal_of_another_run_is_refused(yard: Yard) -> None:
    yard.add()
    yard.add(a_spec("r2"))
    data = yard.journal("r2").log(1, {"loss": 1.0}).data

    with pytest.raises(JournalDamaged, match="This is the journal r2/1/main, not r1/1/main"):
        yard.index.apply("r1", 1, "main", 0, data)


def test_a_run_without_a_folder_is_unknown(yard: Yard) -> None:
    yard.add()
    data = yard.journal().log(1, {"loss": 1.0}).data

    with pytest.raises(NotFound, match="There is no run 'r9'"):
        yard.index.apply("r9", 1, "main", 0, data.replace(b"\xa2r1", b"\xa2r9", 1)[:8] + a_header("r9"))

    assert yard.rows()["streams"] == []


def a_header(run: str) -> bytes:
    from runyard.journal import format as fmt
    from runyard.journal.writer import frame

    content = {"run": run, "attempt": 1, "stream": "main", "created_ns": 0}
    record = frame(fmt.KIND_HEADER, msgspec.msgpack.encode(content))
    assert zlib.crc32(record, fmt.RESIDUE) == fmt.RESIDUE
    return record


def deliver_all(path: str, database_url: str | None, times: int) -> None:
    yard = Yard(Path(path), database_url)
    data = yard.index.journal_path("r1", 1, "main").read_bytes()
    for begin in range(0, len(data), 5000):
        for _ in range(times):
            offset = yard.index.offset("r1", 1, "main")
            if offset <= begin:
                yard.index.apply("r1", 1, "main", offset, data[offset : begin + 5000])


def test_two_processes_that_deliver_the_same_bytes_store_them_once(
    yard: Yard, tmp_path: Path, database_url: str | None
) -> None:
    yard.add()
    yard.journal().log_many(range(20_000), {"loss": [float(step) for step in range(20_000)]})
    processes = [SPAWN.Process(target=deliver_all, args=(str(tmp_path / "home"), database_url, 2)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0]
    assert yard.index.catch_up("r1") == []
    assert summary(yard).count == 20_000
    assert yard.index.series("r1", "loss").steps.tolist() == list(range(20_000))
    grown = yard.rows()
    yard.index.reindex()
    assert yard.rows() == grown


def test_a_transaction_of_the_caller_takes_everything_back(yard: Yard) -> None:
    yard.add()
    data = yard.journal().log(1, {"loss": 1.0}).data

    def apply_and_fail() -> None:
        with yard.database.transaction() as tx:
            yard.index.apply("r1", 1, "main", 0, data, connection=tx)
            raise KeyError

    with pytest.raises(KeyError):
        apply_and_fail()

    assert yard.index.known(["r1"]) == set()
    assert yard.index.offset("r1", 1, "main") == 0


def test_nan_and_infinity_are_told_apart_from_numbers(yard: Yard) -> None:
    yard.add()
    yard.journal().log_many(
        range(4), {"loss": [2.0, math.nan, -1.0, math.nan], "up": [1.0, math.inf, 0.0, -math.inf], "no": [math.nan] * 4}
    )
    yard.index.catch_up("r1")

    loss, up, no = summary(yard), summary(yard, "up"), summary(yard, "no")

    assert (loss.min, loss.min_step, loss.max, loss.max_step, loss.count) == (-1.0, 2, 2.0, 0, 4)
    assert math.isnan(loss.last)
    assert (up.min, up.max, up.last) == (-math.inf, math.inf, -math.inf)
    assert (no.min, no.max_step, no.count) == (None, None, 4)
    assert b"NaN" not in msgspec.json.encode(yard.index.get("r1"))


def test_extremes_do_not_depend_on_how_the_rows_arrive(yard: Yard) -> None:
    yard.add()
    for step, value in enumerate([3.0, 1.0, math.nan, 1.0, 3.0]):
        yard.journal().log(step, {"loss": value})
        yard.index.catch_up("r1")
    one_by_one = summary(yard)

    yard.index.reindex()

    assert (one_by_one.min_step, one_by_one.max_step) == (1, 0)
    assert summary(yard) == one_by_one


def test_any_text_may_name_a_metric(yard: Yard) -> None:
    yard.add()
    keys = ["a'b\"c", "Genauigkeit ✓", "x; drop table runs", "%_", "", "a.b"]
    yard.journal().log(1, dict.fromkeys(keys, 0.5))
    yard.index.catch_up("r1")

    assert yard.index.keys("r1") == sorted(keys)
    for key in keys:
        assert yard.index.series("r1", key).values.tolist() == [0.5]
        assert [run.id for run in yard.index.find(sort=f"metric:{key}.last")] == ["r1"]


def test_media_and_artifacts_are_listed(yard: Yard) -> None:
    yard.add()
    image = {"kind": "image", "mime": "image/png", "data": b"png"}
    yard.journal().event(Media(time_ns=at(1), key="sample", step=2, **image))  # type: ignore[arg-type]
    yard.journal(stream="rank1").event(Media(time_ns=at(1), key="sample", step=1, **image))  # type: ignore[arg-type]
    yard.journal(stream="host").event(
        started(),
        ArtifactStored(time_ns=at(2), name="model", sha256="ab" * 32, size_bytes=7, kind="model", meta={"epoch": 3}),
    )
    yard.index.catch_up("r1")

    (artifact,) = yard.index.artifacts("r1")
    assert (artifact.name, artifact.kind, artifact.meta, artifact.at) == (
        "model",
        "model",
        {"epoch": 3},
        from_ns(at(2)),
    )
    assert [(row.key, row.stream, row.step) for row in yard.index.media("r1")] == [
        ("rank1/sample", "rank1", 1),
        ("sample", "main", 2),
    ]
    (row,) = yard.index.media("r1", "sample")
    assert b"png" in yard.journal().data[row.offset : row.offset + row.size]


def test_only_artifacts_that_nobody_else_has_may_go(yard: Yard) -> None:
    for run_id, shas in (("r1", ["aa", "bb"]), ("r2", ["bb", "cc"]), ("r3", ["cc"])):
        yard.add(a_spec(run_id))
        yard.journal(run_id, stream="host").event(
            started(), *(ArtifactStored(time_ns=at(1), name=sha, sha256=sha, size_bytes=1) for sha in shas)
        )
    yard.index.catch_up()

    assert yard.index.only_referenced_by(["r1"]) == {"aa"}
    assert yard.index.only_referenced_by(["r2", "r3"]) == {"cc"}

    yard.index.remove(["r1", "r2"])
    assert yard.index.only_referenced_by(["r3"]) == {"cc"}
    assert [run.id for run in yard.index.find()] == ["r3"]


def test_equal_failures_of_a_grid_are_counted(yard: Yard) -> None:
    for number in range(3):
        yard.add(a_spec(f"r{number}", grid="g1" if number < 2 else "g2"))
        yard.journal(f"r{number}", stream="host").event(started(), ended(1, "FAILED", fingerprint="f1"))
    yard.index.catch_up()

    assert yard.index.failures_like("g1", "f1") == 2
    assert yard.index.failures_like("g1", "f2") == 0
