"""Texts that a spreadsheet would execute get an apostrophe, and come back without it."""

import pytest

from runyard.formulas import guarded, unguarded


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x.png", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'quoted'", "'=1"])
def test_a_text_that_would_be_executed_is_guarded_and_comes_back(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["", "0001.png", "defect", "1e-3", "a=b"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text
    assert unguarded(text) == text


def test_an_apostrophe_that_guards_nothing_is_part_of_the_text() -> None:
    assert unguarded("'tis") == "'tis"
