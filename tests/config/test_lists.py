"""One value or several: a test for each row of the list rule's table."""

from collections.abc import Callable
from typing import Any

import pytest

from runyard.config import sweep, sweep_override, value
from runyard.config.plan import expand

Values = Callable[..., list[Any]]
Problems = Callable[..., list[str]]


def test_list_for_a_float_is_several_values(values: Values) -> None:
    assert values("optim.lr", "optim.lr=[1e-3, 1e-2]") == [0.001, 0.01]


def test_list_for_a_list_field_is_one_value(values: Values) -> None:
    assert values("model.hidden", "model.hidden=[64, 32]") == [[64, 32]]


def test_list_of_lists_for_a_list_field_is_several_values(values: Values) -> None:
    assert values("model.hidden", "model.hidden=[[64], [64, 64]]") == [[64], [64, 64]]


def test_null_in_a_list_for_an_optional_field_is_a_value(values: Values) -> None:
    assert values("model.patch", "model.patch=[null, 8]") == [None, 8]


def test_comma_in_a_text_field_is_text(values: Values) -> None:
    assert values("data.root", "data.root=a,b") == ["a,b"]


def test_list_for_a_text_field_is_several_texts(values: Values) -> None:
    assert values("data.root", "data.root=[a, b]") == ["a", "b"]


@pytest.mark.parametrize("key", ["data.extra", "data.items", "data.either"])
def test_list_that_fits_both_ways_is_refused(problems: Problems, key: str) -> None:
    (problem,) = problems(f"{key}=[1, 2]")

    assert problem.startswith(f"'{key}': [1, 2] can be one value or 2 values (")
    assert problem.endswith("Write sweep([1, 2]) or value([1, 2])")


def test_ambiguous_list_names_the_type(problems: Problems) -> None:
    assert problems("data.extra=[1, 2]") == [
        "'data.extra': [1, 2] can be one value or 2 values (Any). Write sweep([1, 2]) or value([1, 2])"
    ]


def test_empty_list_for_a_float_is_refused(problems: Problems) -> None:
    assert problems("optim.lr=[]") == ["'optim.lr': the list is empty; a float is wanted"]


def test_commas_for_a_float_are_refused_with_the_brackets_to_write(problems: Problems) -> None:
    assert problems("optim.lr=1e-3,1e-2") == [
        "'optim.lr': '1e-3,1e-2' is no float. To try several values write optim.lr=[1e-3,1e-2]"
    ]


def test_commas_for_a_list_field_are_refused_with_the_brackets_to_write(problems: Problems) -> None:
    assert problems("model.hidden=64,64") == ["'model.hidden': '64,64' is no list[int]. Write model.hidden=[64,64]"]


def test_empty_list_for_a_list_field_is_one_value(values: Values) -> None:
    assert values("model.hidden", "model.hidden=[]") == [[]]


@pytest.mark.parametrize(
    ("written", "expected"),
    [(sweep([1, 2]), [1, 2]), (value([1, 2]), [[1, 2]]), (sweep([[1], [2]]), [[1], [2]])],
)
def test_marks_decide_in_python(values: Values, written: Any, expected: Any) -> None:
    assert values("data.extra", overrides={"data.extra": written}) == expected


@pytest.mark.parametrize("token", ["sweep([1, 2])", "!sweep [1, 2]"])
def test_mark_for_several_values_decides_on_the_command_line(values: Values, token: str) -> None:
    assert values("data.extra", f"data.extra={token}") == [1, 2]


@pytest.mark.parametrize("token", ["value([1, 2])", "!value [1, 2]"])
def test_mark_for_one_value_decides_on_the_command_line(values: Values, token: str) -> None:
    assert values("data.extra", f"data.extra={token}") == [[1, 2]]


def test_value_mark_keeps_brackets_in_a_text(values: Values) -> None:
    assert values("data.root", "data.root=value([a, b])") == ["[a, b]"]


def test_sweep_option_needs_no_brackets(default: Any) -> None:
    plan = expand(default, command_line=[sweep_override("optim.lr", ["1e-3", "1e-2"])])

    assert [run.config.optim.lr for run in plan] == [0.001, 0.01]


def test_sweep_option_takes_lists_as_values(default: Any) -> None:
    plan = expand(default, command_line=[sweep_override("model.hidden", ["[64]", "[64,64]"])])

    assert [run.config.model.hidden for run in plan] == [[64], [64, 64]]
