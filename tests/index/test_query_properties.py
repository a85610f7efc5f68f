"""The database finds what the same expression says about each run in Python."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard.index import RunRow, flatten
from tests.index.builders import Yard, a_spec, days, ended, started
from tests.postgresql import database_of

NUMBERS = [-1, 0, 0.5, 1, 2, 1e300, -(2.0**70), 2**70]
TEXTS = ["", "a", "A", "ab", "a b", "it's", '"', "%", "\\", "ü", "Z", "\x01", "😀", "\ufffd"]
VALUES = [*NUMBERS, *TEXTS, True, False, None]
TAGS = ["a", "it's", "ü"]

Holds = Callable[[RunRow], bool]


@dataclass
class Expression:
    """A query as text, and what it means."""

    text: str
    holds: Holds


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Fifty runs that have and lack everything in many combinations."""
    with database_of(request) as url:
        yield from fifty_runs(Yard(tmp_path_factory.mktemp("home"), url))


def fifty_runs(yard: Yard) -> Iterator[Yard]:
    for number in range(50):
        config = {f"k{key}": VALUES[(number * 7 + key * 5) % len(VALUES)] for key in range(3) if (number + key) % 4}
        run_id = f"r{number:02}"
        yard.add(
            a_spec(
                run_id,
                name=TEXTS[number % len(TEXTS)],
                seed=None if number % 3 == 0 else number % 5,
                experiment=None if number % 4 == 0 else TEXTS[(number // 4) % len(TEXTS)],
                tags=tuple(tag for position, tag in enumerate(TAGS) if (number >> position) & 1),
                config={"deep": config},
                created_at=days(number),
            )
        )
        if number % 3:
            values = [float(NUMBERS[(number + step) % len(NUMBERS)]) for step in range(3)]
            yard.journal(run_id).log_many(range(3), {"m": [*values[:2], math.nan if number % 5 == 0 else values[2]]})
        if number % 2:
            yard.journal(run_id, stream="host").event(
                started(0), ended(number, ["COMPLETED", "FAILED"][number % 4 // 2])
            )
    yard.index.catch_up()
    yield yard
    yard.close()


def number_of(field: str, run: RunRow) -> object:
    if field == "seed":
        return run.seed
    summary = run.summary.get("m")
    found: object = getattr(summary, field) if summary else None
    return None if found != found else found


ORDERED: dict[str, Callable[[object, object], bool]] = {
    "<": lambda one, other: one < other,  # type: ignore[operator]  # only called with two of one kind
    "<=": lambda one, other: one <= other,  # type: ignore[operator]
    ">": lambda one, other: one > other,  # type: ignore[operator]
    ">=": lambda one, other: one >= other,  # type: ignore[operator]
}
OPERATORS = ["==", "!=", *ORDERED]


def kind_of(value: object) -> str:
    return "flag" if isinstance(value, bool) else "number" if isinstance(value, int | float) else type(value).__name__


def compare(one: object, operator: str, other: object) -> bool:
    """What a comparison means; docs/query-language.md in ten lines."""
    if other is None:
        return (one is None) == (operator == "==")
    if one is None:
        return False
    is_equal = kind_of(one) == kind_of(other) and one == other
    if operator in ("==", "!="):
        return is_equal == (operator == "==")
    return kind_of(one) == kind_of(other) and ORDERED[operator](one, other)


def setting(key: str) -> Callable[[RunRow], object]:
    return lambda run: flatten(run.config).get(f"deep.{key}")


@st.composite
def comparisons(draw: st.DrawFn) -> Expression:
    kind = draw(st.sampled_from(["config", "metric", "seed", "text", "tag", "in", "inside", "state", "flag"]))
    operator = draw(st.sampled_from(OPERATORS))
    key = draw(st.sampled_from(["k0", "k1", "k2", "k9"]))
    number = draw(st.sampled_from(NUMBERS))
    if kind == "config":
        value = draw(st.sampled_from(VALUES if operator in ("==", "!=") else [*NUMBERS, *TEXTS]))
        return Expression(
            f"config.deep.{key} {operator} {value!r}", lambda run: compare(setting(key)(run), operator, value)
        )
    if kind == "metric":
        part = draw(st.sampled_from(["last", "min", "max", "count", "max_step"]))
        return Expression(
            f'{number!r} {operator} metric["m"].{part}',
            lambda run: compare_flipped(number, operator, number_of(part, run)),
        )
    if kind == "seed":
        wanted = draw(st.sampled_from([*NUMBERS, None])) if operator in ("==", "!=") else number
        return Expression(f"seed {operator} {wanted!r}", lambda run: compare(run.seed, operator, wanted))
    text = draw(st.sampled_from(TEXTS))
    if kind == "text":
        field = draw(st.sampled_from(["name", "experiment"]))
        return Expression(f"{field} {operator} {text!r}", lambda run: compare(getattr(run, field), operator, text))
    if kind == "tag":
        tag = draw(st.sampled_from([*TAGS, "x"]))
        is_in = draw(st.booleans())
        return Expression(f"{tag!r} {'in' if is_in else 'not in'} tags", lambda run: (tag in run.tags) == is_in)
    if kind == "in":
        options = draw(st.lists(st.sampled_from([*NUMBERS, *TEXTS, True]), max_size=3))
        is_in = draw(st.booleans())
        return Expression(
            f"config.deep.{key} {'in' if is_in else 'not in'} {options!r}",
            lambda run: among(setting(key)(run), options, is_in),
        )
    if kind == "inside":
        place = draw(st.sampled_from(["name", "experiment"]))
        return Expression(
            f"{text!r} in {place}",
            lambda run: text in (getattr(run, place) or "\0") if text else getattr(run, place) is not None,
        )
    if kind == "state":
        state = draw(st.sampled_from(["COMPLETED", "FAILED", "QUEUED", "LOST"]))
        return Expression(f"state {operator} {state!r}", lambda run: compare(str(run.state), operator, state))
    return Expression(f"config.deep.{key}", lambda run: setting(key)(run) is True)


def compare_flipped(number: object, operator: str, field: object) -> bool:
    flipped = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
    return compare(field, flipped, number)


def among(value: object, options: list[object], is_in: bool) -> bool:
    found = any(compare(value, "==", option) for option in options)
    return found if is_in else value is not None and not found


def negated(inner: Expression) -> Expression:
    return Expression(f"not ({inner.text})", lambda run: not inner.holds(run))


def both(one: Expression, other: Expression) -> Expression:
    return Expression(f"({one.text}) and ({other.text})", lambda run: one.holds(run) and other.holds(run))


def either(one: Expression, other: Expression) -> Expression:
    return Expression(f"({one.text}) or ({other.text})", lambda run: one.holds(run) or other.holds(run))


EXPRESSIONS = st.recursive(
    comparisons(),
    lambda inner: st.builds(negated, inner) | st.builds(both, inner, inner) | st.builds(either, inner, inner),
    max_leaves=8,
)


@settings(max_examples=250, deadline=None)
@given(EXPRESSIONS)
def test_a_query_finds_the_runs_for_which_it_is_true(runs: Yard, expression: Expression) -> None:
    everything = runs.index.find(sort="id")

    found = runs.index.find(expression.text, sort="id")

    assert [run.id for run in found] == [run.id for run in everything if expression.holds(run)]


SORTS: dict[str, Callable[[RunRow], object]] = {
    "id": lambda run: run.id,
    "name": lambda run: run.name,
    "seed": lambda run: run.seed,
    "experiment": lambda run: run.experiment,
    "created_at": lambda run: run.created_at,
    "duration_s": lambda run: run.duration_s,
    "metric:m.max": lambda run: number_of("max", run),
    "metric:m": lambda run: number_of("last", run),
    'metric["m"].min': lambda run: number_of("min", run),
    "config.deep.k0": setting("k0"),
    "metric:nobody.max": lambda run: None,
}


def expected_order(run_ids: list[tuple[object, str]], is_descending: bool) -> list[str]:
    """By value within its kind, numbers before text before flags before nothing; equal ones by id."""
    ranks = {"flag": 2, "str": 1, "NoneType": 3}
    groups: dict[int, list[tuple[object, str]]] = {}
    for value, run_id in run_ids:
        groups.setdefault(ranks.get(kind_of(value), 0), []).append((value, run_id))
    ordered = []
    for rank in sorted(groups):
        group = sorted(groups[rank], key=lambda pair: pair[1])
        if rank != 3:
            group.sort(key=lambda pair: pair[0], reverse=is_descending)  # type: ignore[arg-type, return-value]  # one kind
        ordered += [run_id for _, run_id in group]
    return ordered


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(SORTS)),
    st.booleans(),
    st.none() | st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from([None, "seed > 1", '"a" in tags']),
)
def test_pages_are_cut_from_one_order(
    runs: Yard, sort: str, is_descending: bool, limit: int | None, offset: int, query: str | None
) -> None:
    matching = runs.index.find(query)
    wanted = expected_order([(SORTS[sort](run), run.id) for run in matching], is_descending)

    found = runs.index.find(query, sort=f"-{sort}" if is_descending else sort, limit=limit, offset=offset)

    assert [run.id for run in found] == wanted[offset : None if limit is None else offset + limit]
