"""Asking for runs: names, beginnings of ids, pages."""

import pytest

from runyard.errors import NotFound, QueryError, UsageError
from runyard.journal.events import Trashed
from tests.index.builders import Yard, a_spec, at, days


def test_a_run_is_found_by_its_id_its_beginning_or_its_name(yard: Yard) -> None:
    yard.index.add_runs([a_spec("abc1", name="first"), a_spec("abd2", name="second"), a_spec("x", name="abc1")])

    assert yard.index.resolve("abc1") == "abc1"
    assert yard.index.resolve("abd") == "abd2"
    assert yard.index.resolve("second") == "abd2"


def test_an_ambiguous_beginning_lists_the_runs_newest_first(yard: Yard) -> None:
    yard.index.add_runs([a_spec("abc1", name="first"), a_spec("abd2", name="second", created_at=days(1))])

    with pytest.raises(UsageError, match=r"begins with 'ab': abd2 \(second\), abc1 \(first\)\. Give more of the id\."):
        yard.index.resolve("ab")


def test_a_name_that_several_runs_have_lists_a_few_of_them(yard: Yard) -> None:
    yard.index.add_runs([a_spec(f"r{number:02}", name="same") for number in range(20)])

    with pytest.raises(UsageError, match=r"Several runs have the name 'same': r00 \(same\), .*r07 \(same\), …\. Give"):
        yard.index.resolve("same")


@pytest.mark.parametrize("text", ["basline", ""])
def test_a_slip_is_answered_with_what_looks_alike(yard: Yard, text: str) -> None:
    yard.index.add_runs([a_spec("abc1", name="baseline")])

    with pytest.raises(NotFound) as caught:
        yard.index.resolve(text)

    assert ("Did you mean abc1 (baseline)?" in str(caught.value)) == bool(text)


def test_the_name_of_a_trashed_run_is_free_again(yard: Yard) -> None:
    yard.add(a_spec("r1", name="same"))
    yard.add(a_spec("r2", name="same"))
    yard.edit(Trashed(time_ns=at(1), by="anna"))
    yard.index.catch_up()

    assert yard.index.resolve("same") == "r2"
    assert yard.index.resolve("r1") == "r1"


def test_an_unknown_id_is_not_found(yard: Yard) -> None:
    with pytest.raises(NotFound, match="There is no run 'nobody'"):
        yard.index.get("nobody")


def test_runs_of_a_project_and_of_the_trash_are_told_apart(yard: Yard) -> None:
    yard.add(a_spec("r1", project="weld"))
    yard.add(a_spec("r2", project="paint"))
    yard.edit(Trashed(time_ns=at(1), by="anna"), run_id="r2")
    yard.index.catch_up()

    assert [run.id for run in yard.index.find(project="weld")] == ["r1"]
    assert [run.id for run in yard.index.find(project="paint")] == []
    assert [run.id for run in yard.index.find(project="paint", trashed=True)] == ["r2"]
    assert [run.id for run in yard.index.find(trashed=None, sort="id")] == ["r1", "r2"]
    assert yard.index.count(trashed=None) == 2


def test_the_newest_run_comes_first(yard: Yard) -> None:
    yard.index.add_runs([a_spec(f"r{number}", created_at=days(number % 3)) for number in range(6)])

    assert [run.id for run in yard.index.find()] == ["r2", "r5", "r1", "r4", "r0", "r3"]
    assert [run.id for run in yard.index.find(limit=2, offset=1)] == ["r5", "r1"]


def test_more_runs_than_fit_into_one_statement_come_in_order(yard: Yard) -> None:
    yard.index.add_runs([a_spec(f"r{number:04}") for number in range(1201)])

    assert [run.id for run in yard.index.find(sort="id")] == [f"r{number:04}" for number in range(1201)]
    assert yard.index.known([f"r{number:04}" for number in range(2000)]) == {f"r{n:04}" for n in range(1201)}


def test_a_run_is_added_once(yard: Yard) -> None:
    yard.index.add_runs([a_spec("r1"), a_spec("r2")])
    yard.index.add_runs([a_spec("r2"), a_spec("r3")])
    yard.index.add_runs([])

    assert yard.index.count() == 3


@pytest.mark.parametrize(
    ("sort", "message"), [("-tags", "cannot be sorted by their tags"), ("creatd_at", "created_at")]
)
def test_a_sort_field_that_is_not_understood_is_refused(yard: Yard, sort: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        yard.index.find(sort=sort)


def test_settings_of_any_kind_come_back_as_they_were(yard: Yard) -> None:
    config = {"big": 10**30, "deep": {"list": [1, {"a": None}], "empty": {}}, "flag": False, "none": None, "text": "ü'"}
    yard.index.add_run(a_spec(config=config, seed=10**30, changed={"big": 10**30}))

    run = yard.index.get("r1")

    assert (run.config, run.seed, run.changed) == (config, 10**30, {"big": 10**30})
    assert [found.id for found in yard.index.find("config.big == 1e30")] == ["r1"]


def test_rare_and_common_filters_find_the_same_among_many_runs(yard: Yard) -> None:
    specs = [
        a_spec(f"r{number:05}", tags=("rare",) if number % 1000 == 7 else ("common",), config={"lr": number % 3000})
        for number in range(6001)
    ]
    yard.index.add_runs(specs)

    assert [run.id for run in yard.index.find('"rare" in tags', sort="id")] == [
        f"r{n:05}" for n in range(7, 6001, 1000)
    ]
    assert yard.index.count('"common" in tags and config.lr < 2000') == 4001 - 4
    assert [run.id for run in yard.index.find("config.lr == 5 and not config.lr > 5", sort="-id")] == [
        "r03005",
        "r00005",
    ]
    assert yard.index.count('not ("rare" in tags)') == 5995


def test_a_large_project_is_sorted_like_a_small_one(yard: Yard) -> None:
    large = [a_spec(f"r{number:05}", name=f"{number % 7}") for number in range(2500)]
    yard.index.add_runs([*large, *(a_spec(f"s{number:05}", project="paint", name="3") for number in range(5))])

    first = [run.id for run in yard.index.find(None, project="weld", sort="-name", limit=400)]

    assert first == [spec.id for spec in sorted(large, key=lambda spec: (-int(spec.name), spec.id))][:400]
    assert [run.id for run in yard.index.find('name == "3"', project="paint", sort="name")] == [
        f"s{number:05}" for number in range(5)
    ]
