"""Confusions and errors as a notebook shows them: text is text, and what was wrong stands first."""

import numpy as np

import runyard.show as rs
from runyard.tracking.predictions import Predictions, collect

HOSTILE = "<script>alert(1)</script>"


def some_predictions() -> Predictions:
    return collect(
        [0, 0, 1, 1],
        scores=[0.1, 0.9, 0.4, 0.8],
        labels=["ok", HOSTILE],
        ids=["a", "b", "c", HOSTILE],
        images=[np.full((8, 8), shade, np.uint8) for shade in (0, 80, 160, 240)],
    )


def test_confusions_are_a_table_of_counts() -> None:
    shown = rs.confusion_table(some_predictions())

    assert repr(shown).splitlines()[1:] == ["ok\t1\t1", f"{HOSTILE}\t1\t1"]
    assert HOSTILE not in shown._repr_html_()
    assert "&lt;script&gt;" in shown._repr_html_()


def test_errors_are_shown_with_their_pictures_the_worst_first() -> None:
    shown = rs.error_gallery(some_predictions())

    assert [item.id for item in shown.items] == ["b", "c"]
    html = shown._repr_html_()
    assert html.count('<img src="data:image/') == 2
    assert HOSTILE not in html
    assert repr(shown).startswith(f"b: ok, answered {HOSTILE}")


def test_only_as_many_errors_are_shown_as_were_asked_for() -> None:
    assert len(rs.error_gallery(some_predictions(), most=1).items) == 1


def test_no_errors_are_said_in_words() -> None:
    shown = rs.error_gallery(collect([0, 1], scores=[0.1, 0.9]))

    assert repr(shown) == "no errors"
    assert "No errors." in shown._repr_html_()


def test_numbers_have_no_confusions() -> None:
    assert "answers are numbers" in rs.confusion_table(collect([0.5, 1.5], [0.4, 1.9]))._repr_html_()
