"""Series come back as they were logged, from wherever their points lie."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from runyard.database.schema import chunks
from runyard.errors import NotFound
from runyard.index.chunks import SEGMENT_BYTES
from runyard.index.series import Series, thin
from runyard.journal.events import Finished, Media
from tests.index.builders import START_NS, Yard, a_spec, at, ended, started

ODD = [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 0.1]


def number_of_chunks(yard: Yard) -> int:
    with yard.database.read() as tx:
        return tx.execute(select(func.count()).select_from(chunks)).scalar_one()


def log_wave(yard: Yard, count: int, *, run_id: str = "r1", key: str = "loss") -> list[float]:
    values = [math.sin(step / 500) + step % 7 for step in range(count)]
    yard.journal(run_id).log_many(range(count), {key: values, "other": values[::-1]})
    return values


def test_points_are_read_from_the_journal_until_they_are_sealed(yard: Yard) -> None:
    yard.add()
    values = log_wave(yard, 100)
    yard.index.catch_up("r1")
    assert number_of_chunks(yard) == 0
    assert yard.index.series("r1", "loss").values.tolist() == values

    yard.journal(stream="host").event(started(), ended(1))
    yard.index.catch_up("r1")

    assert number_of_chunks(yard) == 1
    yard.index.journal_path("r1", 1, "main").unlink()
    series = yard.index.series("r1", "loss")
    assert series.values.tolist() == values
    assert series.steps.tolist() == list(range(100))
    assert series.times.tolist() == [START_NS + step * 1_000_000 for step in range(100)]
    assert set(series.attempts.tolist()) == {1}


def test_full_segments_are_sealed_while_the_run_goes_on(yard: Yard) -> None:
    yard.add()
    values = log_wave(yard, 20_000)

    yard.index.catch_up("r1")

    assert number_of_chunks(yard) == len(yard.journal().data) // SEGMENT_BYTES == 3
    series = yard.index.series("r1", "loss")
    assert series.values.tolist() == values
    assert series.steps.tolist() == list(range(20_000))


def test_what_comes_after_the_end_is_sealed_too(yard: Yard) -> None:
    yard.add()
    values = log_wave(yard, 100)
    yard.journal(stream="host").event(started(), ended(1))
    yard.index.catch_up("r1")
    yard.journal().log(100, {"loss": 9.0})
    yard.index.catch_up("r1")
    yard.index.journal_path("r1", 1, "main").unlink()

    assert yard.index.series("r1", "loss").values.tolist() == [*values, 9.0]


def test_every_float_survives_bit_for_bit(yard: Yard) -> None:
    yard.add()
    values = ODD * 1000
    yard.journal().log_many(range(len(values)), {"odd": values})
    yard.journal(stream="host").event(started(), ended(1))
    yard.index.catch_up("r1")

    series = yard.index.series("r1", "odd")

    assert series.values.tobytes() == np.array(values).tobytes()


def test_steps_may_repeat_and_go_back(yard: Yard) -> None:
    yard.add()
    steps = [5, 5, -3, 2**62, 0]
    yard.journal().log_many(steps, {"loss": [1.0, 2.0, 3.0, 4.0, 5.0]})
    yard.journal(stream="host").event(started(), ended(1))
    yard.index.catch_up("r1")

    assert yard.index.series("r1", "loss").steps.tolist() == steps


def test_a_later_attempt_replaces_what_it_does_again(yard: Yard) -> None:
    yard.add(is_queued=True)
    yard.journal(attempt=1).log_many(range(10), {"loss": [10.0 + step for step in range(10)]})
    yard.journal(attempt=2).log_many(range(6, 12), {"loss": [20.0 + step for step in range(6, 12)]}, time_ns=at(60))
    yard.index.catch_up("r1")

    series = yard.index.series("r1", "loss")
    assert series.steps.tolist() == list(range(12))
    assert series.attempts.tolist() == [1] * 6 + [2] * 6
    assert yard.index.series("r1", "loss", attempt=1).steps.tolist() == list(range(10))

    summary = yard.index.get("r1").summary["loss"]
    assert (summary.count, summary.min, summary.max, summary.last) == (12, 10.0, 31.0, 31.0)


def test_the_best_value_of_a_lost_stretch_is_not_the_best_of_the_run(yard: Yard) -> None:
    yard.add()
    yard.journal(attempt=1).log_many(range(4), {"accuracy": [0.5, 0.6, 0.99, 0.7]})
    yard.journal(attempt=2).log_many(range(2, 4), {"accuracy": [0.7, 0.8]}, time_ns=at(60))
    yard.index.catch_up("r1")

    summary = yard.index.get("r1").summary["accuracy"]

    assert (summary.max, summary.max_step, summary.count) == (0.8, 3, 4)


def test_what_the_host_measured_is_never_replaced(yard: Yard) -> None:
    yard.add()
    for attempt in (1, 2):
        yard.journal(attempt=attempt, stream="host").event(started()).log_many(
            range(3), {"host/cpu": [1.0, 2.0, 3.0]}, time_ns=at(60 * attempt)
        )
    yard.index.catch_up("r1")

    assert len(yard.index.series("r1", "host/cpu")) == 6
    assert yard.index.get("r1").summary["host/cpu"].count == 6


def test_ranks_have_series_of_their_own(yard: Yard) -> None:
    yard.add()
    yard.journal().log(1, {"loss": 1.0})
    yard.journal(stream="rank1").log(1, {"loss": 2.0})
    yard.index.catch_up("r1")

    assert yard.index.keys("r1") == ["loss", "rank1/loss"]
    assert yard.index.series("r1", "rank1/loss").values.tolist() == [2.0]
    assert yard.index.series("r1", "loss").values.tolist() == [1.0]


@pytest.mark.parametrize("is_ended", [False, True])
def test_a_metric_logged_in_several_places_is_put_together_by_time(yard: Yard, is_ended: bool) -> None:
    yard.add()
    main, child = yard.journal(), yard.journal(stream="main-77")
    main.log(0, {"loss": 0.0}, time_ns=at(0)).log(1, {"loss": 1.0, "lr": 0.1}, time_ns=at(1))
    main.log(2, {"loss": 2.0}, time_ns=at(2)).log(4, {"loss": 4.0, "lr": 0.1}, time_ns=at(4))
    child.log(3, {"loss": 3.0}, time_ns=at(3))
    if is_ended:
        yard.journal(stream="host").event(started(), ended(9))
    yard.index.catch_up("r1")

    assert yard.index.series("r1", "loss").steps.tolist() == [0, 1, 2, 3, 4]
    assert yard.index.get("r1").summary["loss"].last == 4.0


def test_records_longer_than_a_segment_do_not_disturb(yard: Yard) -> None:
    yard.add()
    for step in range(5):
        picture = Media(
            time_ns=at(step), key="x", step=step, kind="image", mime="", data=b"x" * (3 * SEGMENT_BYTES + step)
        )
        yard.journal().log(step, {"loss": float(step)}).event(picture)
    yard.journal().event(Finished(time_ns=at(9)))
    yard.journal(stream="host").event(started(), ended(9))
    yard.index.catch_up("r1")

    assert yard.index.series("r1", "loss").steps.tolist() == [0, 1, 2, 3, 4]
    assert len(yard.index.media("r1", "x")) == 5


def test_one_metric_of_many_runs_comes_in_their_order(yard: Yard) -> None:
    for number, run_id in enumerate(("r3", "r1", "r2")):
        yard.add(a_spec(run_id))
        yard.journal(run_id).log(1, {"loss" if number < 2 else "other": float(number)})
    yard.index.catch_up()

    found = yard.index.series_many(["r3", "r2", "r1", "nobody"], "loss")

    assert {run_id: series.values.tolist() for run_id, series in found.items()} == {"r3": [0.0], "r1": [1.0]}
    assert list(found) == ["r3", "r1"]


def test_an_unknown_metric_names_the_known_ones(yard: Yard) -> None:
    yard.add()
    yard.journal().log(1, {"loss": 1.0})
    yard.index.catch_up("r1")

    with pytest.raises(NotFound, match=r"Run r1 has no metric 'los'\. Its metrics: loss\."):
        yard.index.series("r1", "los")


@pytest.mark.parametrize("count", [3, 900, 30_000])
@pytest.mark.parametrize("is_ended", [False, True])
def test_buckets_keep_every_extreme(yard: Yard, count: int, is_ended: bool) -> None:
    yard.add()
    values = np.array(log_wave(yard, count))
    if is_ended:
        yard.journal(stream="host").event(started(), ended(9))
    yard.index.catch_up("r1")

    buckets = yard.index.bucketed("r1", "loss", 100)

    assert len(buckets) <= 100
    assert len(buckets) == count or len(buckets) > 50
    assert buckets.counts.sum() == count
    begins = np.concatenate(([0], np.cumsum(buckets.counts)))
    for number, (begin, end) in enumerate(pairwise(begins)):
        piece = values[begin:end]
        assert (buckets.min[number], buckets.max[number]) == (piece.min(), piece.max())
        assert buckets.mean[number] == pytest.approx(piece.mean())
        assert (buckets.first_steps[number], buckets.last_steps[number]) == (begin, end - 1)
        assert buckets.last[number] == piece[-1]
        assert buckets.times[number] == START_NS + (end - 1) * 1_000_000


def test_a_zoom_shows_single_points(yard: Yard) -> None:
    yard.add()
    values = log_wave(yard, 30_000)
    yard.index.catch_up("r1")

    buckets = yard.index.bucketed("r1", "loss", 100, start=1000, stop=1049)

    assert buckets.first_steps.tolist() == buckets.last_steps.tolist() == list(range(1000, 1050))
    assert buckets.last.tolist() == values[1000:1050]


def test_buckets_of_several_attempts_leave_out_what_was_replaced(yard: Yard) -> None:
    yard.add()
    yard.journal(attempt=1).log_many(range(5000), {"loss": [7.0] * 5000})
    yard.journal(attempt=2).log_many(range(2000, 9000), {"loss": [1.0] * 7000}, time_ns=at(60))
    yard.index.catch_up("r1")

    buckets = yard.index.bucketed("r1", "loss", 90)

    assert buckets.counts.sum() == 9000
    assert buckets.max[buckets.first_steps >= 2000].max() == 1.0


def test_nan_leaves_gaps_only_where_there_is_nothing_else(yard: Yard) -> None:
    yard.add()
    values = [math.nan if step < 6400 or step % 2 else 1.0 for step in range(12_800)]
    yard.journal().log_many(range(12_800), {"loss": values})
    yard.index.catch_up("r1")

    buckets = yard.index.bucketed("r1", "loss", 10)

    assert np.isnan(buckets.min[:4]).all()
    assert buckets.mean[5:].tolist() == [1.0] * 5


def test_buckets_of_nothing_are_none(yard: Yard) -> None:
    yard.add()
    yard.index.catch_up("r1")

    assert len(yard.index.bucketed("r1", "loss", 100)) == 0
    with pytest.raises(ValueError, match="at least 1"):
        yard.index.bucketed("r1", "loss", 0)


@given(st.lists(st.floats(allow_nan=True, width=16), min_size=1, max_size=200), st.integers(4, 50))
def test_a_thinned_series_keeps_its_ends_and_extremes(values: list[float], points: int) -> None:
    count = np.arange(len(values))
    thinned = thin(Series(steps=count, values=np.array(values), times=count, attempts=count), points)

    assert len(thinned) <= points
    assert (thinned.steps[0], thinned.steps[-1]) == (0, len(values) - 1)
    real = [value for value in values if value == value]
    if real:
        assert np.nanmin(thinned.values) == min(real)
        assert np.nanmax(thinned.values) == max(real)


def test_a_series_is_not_thinned_to_less_than_four_points(yard: Yard) -> None:
    yard.add()
    log_wave(yard, 100)
    yard.index.catch_up("r1")

    assert len(yard.index.series("r1", "loss", points=10)) <= 10
    with pytest.raises(ValueError, match="4 are the least"):
        yard.index.series("r1", "loss", points=3)


def test_a_part_of_a_long_series_is_the_same_from_a_few_of_its_chunks(yard: Yard) -> None:
    yard.add()
    yard.journal(stream="host").event(started())
    journal = yard.journal()
    count = 30_000  # some segments, and a tail that is not sealed
    values = np.random.default_rng(0).normal(size=count)
    journal.log_many(range(count), {"loss": values.tolist()})
    yard.run()

    for start, stop in ((0, 50), (12_345, 12_400), (7_000, 9_000), (29_990, None), (None, 3), (40_000, 50_000)):
        part = yard.index.bucketed("r1", "loss", 5000, start=start, stop=stop)

        first, last = start or 0, count - 1 if stop is None else stop
        assert part.last.tolist() == values[first : last + 1].tolist()
        assert part.last_steps.tolist() == list(range(first, min(last + 1, count)))


def test_buckets_of_many_runs_are_those_of_each(yard: Yard) -> None:
    for run_id, count in (("r1", 10_000), ("r2", 3), ("r3", 0)):
        yard.add(run_id=run_id)
        yard.journal(run_id, stream="host").event(started())
        yard.journal(run_id).log_many(range(count), {"loss": [float(step % 7) for step in range(count)]})
        yard.run(run_id)

    found = yard.index.bucketed_many(["r3", "r2", "r1"], "loss", 100)

    assert set(found) == {"r1", "r2"}
    for run_id, buckets in found.items():
        alone = yard.index.bucketed(run_id, "loss", 100)
        assert buckets.mean.tolist() == alone.mean.tolist()
        assert buckets.counts.sum() == (10_000 if run_id == "r1" else 3)
