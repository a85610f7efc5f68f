"""Blocks, kinds and unusual types: from keys to a validated config."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, field_validator

from runyard.config import Config, Field, expand
from runyard.config.editor_schema import config_schema, experiment_schema
from runyard.config.views import list_keys
from runyard.errors import ConfigError

# ruff: noqa: RUF012  (pydantic copies mutable defaults)


def must_be_even(number: int) -> int:
    if number % 2:
        raise ValueError("must be even")
    return number


class Inner(Config):
    z: float = 1.0


class Small(Config):
    kind: Literal["small", "tiny"] = "small"
    x: int = 1
    inner: Inner | None = None


class Large(Config):
    kind: Literal["large"] = "large"
    y: str = "q"
    must: int


class Node(Config):
    depth: int = 0
    next: "Node | None" = None


class Odd(Config):
    maybe: Annotated[Small | Large, Field(discriminator="kind")] | None = None
    told_apart: Small | Large = Small()  # by the field that both have as a Literal
    node: Node = Node()
    blocks: list[Inner] = []
    table: dict[str, Inner] = {}
    required: float = Field(..., gt=0)
    function: Callable[[int], int] | None = None
    limited: int = 0
    even: Annotated[int, AfterValidator(must_be_even)] = 0

    @field_validator("limited")
    @classmethod
    def at_most_ten(cls, limited: int) -> int:
        if limited > 10:
            raise ValueError("more than ten")
        return limited


@pytest.fixture
def odd() -> Odd:
    return Odd(required=1)


@pytest.mark.parametrize(
    ("tokens", "changed"),
    [
        (["maybe.kind=large", "maybe.must=3"], {"maybe.kind": "large", "maybe.y": "q", "maybe.must": 3}),
        (["told_apart.kind=tiny", "told_apart.x=2"], {"told_apart.kind": "tiny", "told_apart.x": 2}),
        (["told_apart.inner.z=3"], {"told_apart.inner.z": 3.0}),
        (["told_apart.inner={}"], {"told_apart.inner.z": 1.0}),
        (["node.next.depth=3"], {"node.next.depth": 3, "node.next.next": None}),
        (["blocks=[{z: 1}]"], {"blocks": [{"z": 1.0}]}),
        (["table={a: {z: 2}}"], {"table": {"a": {"z": 2.0}}}),
    ],
)
def test_keys_reach_their_place(odd: Odd, tokens: list[str], changed: dict[str, Any]) -> None:
    (run,) = expand(odd, command_line=tokens)

    assert run.changed == changed


@pytest.mark.parametrize(
    ("tokens", "complaint"),
    [
        (["maybe.kind=large"], "'maybe.must' has no value and no default; set it"),
        (["told_apart.kind=large"], "'told_apart.must' has no value and no default; set it"),
        (["maybe.x=3"], "'maybe.x' needs maybe.kind=small or maybe.kind=tiny or maybe.kind=large beside it"),
        (["maybe={}"], "'maybe' needs maybe.kind=small or maybe.kind=tiny or maybe.kind=large beside it"),
        (["told_apart=null"], "'told_apart' cannot be null; it always holds its keys"),
        (["told_apart={kind: big}"], "'told_apart.kind': 'big' is none of 'small', 'tiny', 'large'"),
        (["blocks=[{z: x}]"], "'blocks': [{z: 'x'}] is no list[Inner]"),
        (
            ["table.a.z=2"],
            "unknown key 'table.a.z': 'table' holds one value (dict[str, Inner]). Set it as a whole: table=…",
        ),
        (["limited=11"], "'limited': more than ten"),
        (["even=3"], "'even': 3 is refused: must be even"),
        (["required=0"], "'required': 0 is no float > 0"),
        (["required=sweep()"], "'required': the list is empty; a float is wanted"),
    ],
)
def test_problem_names_the_key_and_what_is_wanted(odd: Odd, tokens: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(odd, command_line=tokens)

    assert caught.value.problems == [complaint]


def test_config_as_a_value_of_a_grid_is_taken_whole(odd: Odd) -> None:
    plan = expand(odd, {"maybe": [Small(x=3, inner=Inner(z=2)), Large(must=1), None]})

    assert [run.config.maybe for run in plan] == [Small(x=3, inner=Inner(z=2)), Large(must=1), None]


def test_keys_below_a_model_that_contains_itself_end_somewhere(odd: Odd) -> None:
    assert [row.key for row in list_keys(odd, "node.*")] == ["node.depth", "node.next.depth", "node.next.next.depth"]


def test_types_that_json_cannot_describe_may_be_anything(odd: Odd) -> None:
    assert config_schema(odd)["properties"]["function"]["default"] is None
    assert "required" in experiment_schema(odd)["properties"]["base"]["properties"]


def test_same_problem_of_many_rows_is_told_once(odd: Odd) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(odd, {"told_apart.kind": ["small", "large"], "required": [1, 2, 3]})

    assert caught.value.problems == ["row 4: 'told_apart.must' has no value and no default; set it (and 2 more rows)"]
