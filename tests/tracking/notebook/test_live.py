"""The picture of a run, drawn from its journal."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runyard.journal import JournalWriter
from runyard.tracking.notebook.live import LiveChart
from runyard.tracking.notebook.points import Points


@pytest.fixture
def journal(tmp_path: Path) -> JournalWriter:
    return JournalWriter(tmp_path / "main.journal", run="abc", attempt=1, stream="main")


def rows(journal: JournalWriter, keys: tuple[str, ...], count: int, *, first: int = 0) -> None:
    schema = journal.declare(keys)
    for step in range(first, first + count):
        journal.append(schema.encode(step, step, [float(step)] * len(keys)))


def test_points_are_read_as_they_come_and_thinned(journal: JournalWriter, tmp_path: Path) -> None:
    points = Points(tmp_path / "main.journal")
    rows(journal, ("loss",), 20_000)
    assert points.read()
    rows(journal, ("loss", "acc"), 10, first=20_000)
    assert [points.read(), points.read()] == [True, False]

    drawn = points.drawn("loss")
    assert points.names() == ["loss", "acc"]
    assert points.count == 20_020
    assert len(drawn) <= 151
    assert [drawn[0], drawn[-1]] == [(0, 0.0), (20_009, 20_009.0)]
    assert points.last("acc") == 20_009.0


def test_lows_and_highs_survive_any_number_of_points(journal: JournalWriter, tmp_path: Path) -> None:
    points = Points(tmp_path / "main.journal")
    schema = journal.declare(("loss",))
    for step in range(30_000):
        journal.append(schema.encode(step, step, [1e6 if step == 12_345 else -1e6 if step == 23_456 else 0.0]))
        if step % 5_000 == 0:
            points.read()
    points.read()

    values = [value for _, value in points.drawn("loss")]
    assert (min(values), max(values)) == (-1e6, 1e6)


def test_a_torn_tail_is_read_when_it_is_whole(journal: JournalWriter, tmp_path: Path) -> None:
    rows(journal, ("loss",), 3)
    whole = (tmp_path / "main.journal").read_bytes()
    torn = tmp_path / "torn.journal"
    torn.write_bytes(whole[:-5])
    points = Points(torn)

    points.read()
    torn.write_bytes(whole)

    assert points.read()
    assert len(points.drawn("loss")) == 3
    assert not Points(tmp_path / "nothing").read()


def test_series_whose_names_end_alike_share_a_chart_and_many_are_counted(
    journal: JournalWriter, tmp_path: Path
) -> None:
    rows(journal, ("train/loss", "val/loss", *(f"m{n}" for n in range(50))), 3)
    shown: list[Any] = []
    shell = SimpleNamespace(display_pub=SimpleNamespace(publish=lambda **given: shown.append(given)))
    chart = LiveChart(shell, title="<b>", journal=tmp_path / "main.journal", link='http://x/"><script>')

    chart.draw("running")

    html = shown[0]["data"]["text/html"]
    assert html.count("<svg") == 6
    assert "train 2" in html
    assert "… and 45 more series" in html
    assert "<b>" not in html
    assert "<script>" not in html
    assert len(html) < 100_000
