"""What is outside of a scope is as if it were not there."""

import pytest

from runyard.errors import NotAllowed, NotFound
from runyard.index import EVERYTHING, Index, Scope
from runyard.records import RunSpec
from tests.index.builders import Yard, a_spec

HIDDEN = Scope(hidden=frozenset({"secret"}))
ONLY = Scope(only=frozenset({"open", "secret"}), hidden=frozenset({"secret"}))


@pytest.fixture
def index(yard: Yard) -> Index:
    return yard.index


@pytest.fixture
def runs(index: Index) -> tuple[RunSpec, RunSpec]:
    """A run that may be seen, and one that may not."""
    found = a_spec("r1", project="open", name="seen"), a_spec("r2", project="secret", name="hidden")
    for spec in found:
        (index.home.runs / spec.id).mkdir(parents=True)
        index.add_run(spec)
    return found


@pytest.mark.parametrize("scope", [HIDDEN, ONLY])
def test_only_what_may_be_seen_is_found(index: Index, runs: tuple[RunSpec, RunSpec], scope: Scope) -> None:
    seen, hidden = runs
    mine = index.within(scope)

    assert [row.id for row in mine.find()] == [seen.id]
    assert mine.count() == 1
    assert mine.count('project == "secret"') == 0
    assert mine.visible([hidden.id, seen.id, "nothing"]) == [seen.id]
    assert mine.get(seen.id).name == "seen"
    assert mine.resolve("seen") == seen.id
    for ask in (mine.get, mine.require, mine.resolve, mine.keys, mine.media, mine.artifacts, mine.failure):
        with pytest.raises(NotFound):
            ask(hidden.id)


def test_a_message_names_nothing_that_may_not_be_seen(index: Index, runs: tuple[RunSpec, RunSpec]) -> None:
    with pytest.raises(NotFound) as problem:
        index.within(HIDDEN).resolve("hiden")

    assert "hidden" not in str(problem.value).replace("hiden", "")


def test_the_index_itself_stays_as_it_was(index: Index, runs: tuple[RunSpec, RunSpec]) -> None:
    index.within(HIDDEN)

    assert index.scope == EVERYTHING
    assert index.count() == 2


def test_nothing_goes_into_a_project_that_is_not_ones_own() -> None:
    HIDDEN.require("open")
    with pytest.raises(NotAllowed, match="'secret' is not open to you"):
        HIDDEN.require("secret")
    with pytest.raises(NotAllowed):
        Scope(only=frozenset({"a"})).require("b")
