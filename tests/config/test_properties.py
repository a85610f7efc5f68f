"""What must hold for any config and any grid."""

# ruff: noqa: RUF012  (pydantic copies mutable defaults)

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runyard.config import Config, expand, grid, identify, rehash
from runyard.errors import ConfigError


class Inner(Config):
    rate: float = 0.5
    name: str = "a"
    sizes: list[int] = []


class Outer(Config):
    seed: int = 0
    count: int = 1
    flag: bool = False
    inner: Inner = Inner()


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(0, 99),
    "count": st.integers(-(10**9), 10**9),
    "inner.rate": FLOATS,
    "inner.name": st.text(max_size=8),
    "inner.sizes": st.lists(st.integers(0, 9), max_size=3),
}


@st.composite
def grids(draw: st.DrawFn) -> dict[str, list[Any]]:
    """A grid of distinct values over some keys."""
    keys = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, min_size=1, max_size=3))
    return {key: draw(st.lists(VALUES[key], min_size=1, max_size=4, unique_by=repr)) for key in keys}


def distinct(values: list[Any]) -> int:
    return len({repr(0.0 if value == 0 and isinstance(value, float) else value) for value in values})


@settings(deadline=None, max_examples=60)
@given(grids())
def test_count_is_the_product_of_the_dimensions(dimensions: dict[str, list[Any]]) -> None:
    expected = 1
    for values in dimensions.values():
        expected *= distinct(values)

    assert len(expand(Outer(), dimensions)) == expected


@settings(deadline=None, max_examples=40)
@given(grids())
def test_expanding_twice_gives_the_same_plan(dimensions: dict[str, list[Any]]) -> None:
    first, second = expand(Outer(), dimensions), expand(Outer(), dimensions)

    assert [(run.name, run.config_id, run.group) for run in first] == [
        (run.name, run.config_id, run.group) for run in second
    ]


@settings(deadline=None, max_examples=40)
@given(grids())
def test_ids_and_names_tell_runs_apart(dimensions: dict[str, list[Any]]) -> None:
    plan = expand(Outer(), dimensions)

    assert len({run.config_id for run in plan}) == len(plan)
    assert len({run.name for run in plan}) == len(plan)


@settings(deadline=None, max_examples=60)
@given(st.fixed_dictionaries(VALUES), st.randoms(use_true_random=False))
def test_id_does_not_depend_on_the_order_of_keys(values: dict[str, Any], random: Any) -> None:
    config = Outer().replace(values)
    stored = config.to_dict()
    keys = list(stored)
    random.shuffle(keys)

    assert rehash({key: stored[key] for key in keys}, Outer) == identify(config)


@settings(deadline=None, max_examples=60)
@given(st.integers(-(2**50), 2**50))
def test_id_does_not_depend_on_the_spelling_of_a_number(number: int) -> None:
    ids = set()
    for token in (f"{number}", f"{number}.0", f"{number}e0", f"{number * 10}e-1"):
        (run,) = expand(Outer(), command_line=[f"inner.rate={token}"])
        ids.add(run.config_id)

    assert len(ids) == 1


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="ascii", exclude_characters="="), min_size=1, max_size=12))
def test_every_error_names_its_key(key: str) -> None:
    assume(key.strip() not in {"", "seed", "count", "flag", "inner.rate", "inner.name", "inner.sizes"})
    with pytest.raises(ConfigError) as caught:
        expand(Outer(), command_line=[f"{key}=no number"])

    assert all(key.strip().lstrip("-") in problem for problem in caught.value.problems)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=12))
def test_any_text_reaches_a_text_field(text: str) -> None:
    assume(not text.strip().startswith(("[", "{", "!", "sweep(", "value(")))

    (run,) = expand(Outer(), command_line=[f"inner.name={text}"])

    assert run.config.inner.name == text


@settings(deadline=None, max_examples=30)
@given(grids(), st.integers(1, 3))
def test_repeating_multiplies_runs_but_not_groups(dimensions: dict[str, list[Any]], times: int) -> None:
    dimensions = {key: values for key, values in dimensions.items() if key != "seed"} or {"count": [1]}
    plan = expand(Outer(), grid(dimensions).repeat(times))

    assert len(plan) == times * plan.n_groups
