import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.drawing import Curve, chart


def svg_of(html: str) -> ElementTree.Element:
    found = re.search(r"<svg.*</svg>", html)
    assert found
    return ElementTree.fromstring(found[0])


def lines_of(html: str) -> int:
    return len([each for each in svg_of(html).iter() if each.tag.endswith("path")])


def test_each_curve_is_a_line_with_its_name_and_last_value() -> None:
    html = chart("loss", [Curve("train", [(0, 1.0), (1, 0.5)]), Curve("val", [(0, 2.0), (1, 0.25)])])

    assert lines_of(html) == 2
    assert "train 0.5" in html
    assert "val 0.25" in html


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    points = [(0, 1.0), (1, 2.0), (2, math.nan), (3, 1.0), (4, math.inf), (5, 2.0), (6, 3.0)]

    html = chart("loss", [Curve("train", points)])

    assert lines_of(html) == 2
    assert html.count("<circle") == 1  # a point between two gaps


def test_a_picture_reads_on_light_and_dark_ground_and_refers_to_nothing() -> None:
    html = chart("loss", [Curve("train", [(0, 1.0), (1, 0.5)])])

    assert "currentColor" in html
    assert "url(" not in html
    assert "href" not in html
    assert "<style" not in html


def test_hostile_names_do_no_harm() -> None:
    html = chart("</svg><script>alert(1)</script>\x00", [Curve("<b onclick=x>" * 100, [(0, 1.0), (1, 0.5)])])

    assert "<script>" not in html
    assert "<b onclick" not in html
    assert len(html) < 5_000


def test_many_curves_are_counted() -> None:
    html = chart("loss", [Curve(str(n), [(0, n), (1, n)]) for n in range(20)], left=100)

    assert lines_of(html) == 7
    assert "… and 113 more" in html


def test_nothing_finite_says_so() -> None:
    assert "no finite value" in chart("loss", [Curve("train", [(0, math.nan)]), Curve("val", [])])


numbers = st.floats(allow_nan=True, allow_infinity=True)
steps = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(steps, numbers), max_size=8))
def test_whatever_was_logged_can_be_drawn(points: list[tuple[float, float]]) -> None:
    html = chart("loss", [Curve("train", points)])

    assert "nan" not in html.replace("NaN", "")
    if "<svg" in html:
        assert svg_of(html) is not None


@pytest.mark.parametrize("values", [(5e-324, 1e-323), (1.0, 1.0000000000000002), (-1.7e308, 1.7e308)])
def test_values_at_the_ends_of_floating_point_have_an_axis(values: tuple[float, float]) -> None:
    assert lines_of(chart("loss", [Curve("train", [(0, values[0]), (1, values[1])])])) == 1
