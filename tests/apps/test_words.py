"""Both languages say everything, with the same values filled in."""

import re
from datetime import UTC, datetime

import pytest

from runyard.apps.words import TEXTS, Language, Words, language
from runyard.errors import UsageError
from runyard.records import RunState

FIELDS = re.compile(r"{(\w+)}")


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_fill_in_the_same_values(key: str) -> None:
    english, german = TEXTS[key]

    assert english
    assert german
    assert sorted(FIELDS.findall(english)) == sorted(FIELDS.findall(german))


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [(1234.5, "1,235", "1.235"), (0.12345, "0.123", "0,123"), (-3, "−3", "−3"), (float("nan"), "–", "–")],
)
def test_numbers_are_written_as_readers_expect_them(value: float, english: str, german: str) -> None:
    assert Words().number(value) == english
    assert Words(Language.DE).number(value) == german


@pytest.mark.parametrize(("value", "text"), [(0.25, "0.25"), (0.5, "0.5"), (0, "0"), (1500, "1,500"), (0.001, "0.001")])
def test_ticks_end_without_zeros(value: float, text: str) -> None:
    assert Words().tick(value) == text


def test_dates_and_durations_are_those_of_the_language() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    assert Words().date(at) == "1 March 2026"
    assert Words(Language.DE).date(at) == "1. März 2026"
    assert [Words(Language.DE).duration(s) for s in (0.4, 61, 7300)] == ["0,4 s", "1 min 1 s", "2 h 1 min"]


def test_texts_of_users_are_filled_in_as_they_are() -> None:
    assert Words()("for_customer", customer="{0} & <b>") == "for {0} & <b>"


def test_a_language_that_is_none_is_refused() -> None:
    assert language("de_DE.UTF-8") is Language.DE
    with pytest.raises(UsageError, match="'fr' is none of the languages: de, en"):
        language("fr")


def test_sizes_are_written_in_the_unit_that_fits() -> None:
    assert [Words().size(size) for size in (0, 512, 6_100, 96_400_000, 1_240_000_000)] == [
        "0 B",
        "512 B",
        "6.10 kB",
        "96.4 MB",
        "1.24 GB",
    ]


def test_states_are_told_in_the_language() -> None:
    for state in RunState:
        assert Words(Language.DE).state(state) not in (state, Words().state(state))


def test_what_a_new_project_says_is_translated_and_a_customers_words_are_not() -> None:
    german = Words(Language.DE)

    assert [german.own(text) for text in ("missed", "false alarm", "too low", "samples")] == [
        "übersehen",
        "Fehlalarm",
        "zu niedrig",
        "Proben",
    ]
    assert german.own("missed defect") == "missed defect"
