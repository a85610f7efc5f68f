"""Contracts and tables: fields that belong together."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from runyard.contracts import Array, Contract, ContractBroken, Problem, Series, Table


class Digits(Contract):
    image = Array(("n", 8, 8), dtype="float32", range=(0, 1))
    label = Array(("n",), dtype="int64", values=range(10))


class Batch(NamedTuple):
    image: Any
    label: Any


CONTRACT = Digits()
IMAGES, LABELS = np.zeros((5, 8, 8), np.float32), np.arange(5)


@pytest.mark.parametrize(
    "batch", [{"image": IMAGES, "label": LABELS}, (IMAGES, LABELS), Batch(IMAGES, LABELS), [IMAGES, LABELS]]
)
def test_a_batch_comes_by_name_or_in_order(batch: Any) -> None:
    CONTRACT.check(batch)


def test_sizes_of_the_same_name_agree() -> None:
    assert CONTRACT.problems((IMAGES, LABELS[:4])) == [Problem("label", "has n = 4, but image has n = 5.")]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ContractBroken) as broken:
        CONTRACT.check({"image": IMAGES + 2, "label": LABELS + 7})

    assert str(broken.value).startswith("The data break the contract: image goes from 2 to 2, and 0 to 1 is declared")
    assert [problem.place for problem in broken.value.problems if isinstance(problem, Problem)] == ["image", "label"]


def test_a_missing_field_and_a_batch_of_another_kind_are_told() -> None:
    assert CONTRACT.problems({"image": IMAGES}) == [Problem("label", "is missing.")]
    assert (
        str(CONTRACT.problems((1, 2, 3))[0])
        == "batch is tuple of 3; image, label are declared, by name or in this order."
    )


def test_a_service_checks_one_sample_of_what_it_is_given() -> None:
    given = CONTRACT.only("image").one

    assert given.problems({"image": np.zeros((8, 8), np.float32).tolist()}) == []
    (problem,) = given.problems({"image": [[0.5, 7.0], [0.0, 0.0]]})
    assert (problem.place, problem.sentence) == ("image", "has the shape (2, 2); (8, 8) is declared.")


def test_a_service_gives_one_row_without_the_name_of_the_table() -> None:
    one = Contract(row=Table({"age": Array(dtype="number", range=(0, 120)), "city": Array(values=("Kiel", "Ulm"))})).one

    assert one.problems({"age": 40, "city": "Ulm"}) == []
    assert [str(problem) for problem in one.problems({"age": 400.0, "city": "Jena"})] == [
        "row.age is 400; 0 to 120 is declared.",
        "row.city is 'Jena'; 'Kiel', 'Ulm' are declared.",
    ]
    assert [str(problem) for problem in one.problems({"age": None, "city": "Ulm"})] == [
        "row.age is missing (NaN, None or empty)."
    ]


def test_what_a_request_must_hold_is_told_as_a_json_schema() -> None:
    row = Table({"age": Array(dtype="number", range=(0, 120), missing=True), "city": Array(values=("Kiel", "Ulm"))})
    window = Series({"value": Array(dtype="float32")}, every=1).window(3)

    assert Contract(row=row).one.schema() == {
        "type": "object",
        "properties": {
            "age": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 120}, {"type": "null"}]},
            "city": {"enum": ["Kiel", "Ulm"]},
        },
        "required": ["age", "city"],
    }
    values = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
    assert Contract(window=window).one.schema()["properties"]["value"] == values
    assert Array(("n", 2), dtype="int64").schema()["items"] == {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 2,
        "maxItems": 2,
    }


def test_fields_can_be_given_by_name() -> None:
    contract = Contract(x=Array(("n", 3)))

    assert contract.problems(np.zeros((2, 3))) == []
    assert contract.problems({"x": np.zeros((2, 4))})[0].place == "x"
    with pytest.raises(KeyError):
        contract.only("y")


def test_a_subclass_adds_fields() -> None:
    class Weighed(Digits):
        weight = Array(("n",), range=(0, None))

    assert list(Weighed().fields) == ["image", "label", "weight"]


CUSTOMERS = Table(
    {"id": Array(dtype="int", unique=True), "age": Array(dtype="number", range=(0, 120), missing=True)}, at_least=2
)


def frames() -> list[Any]:
    columns: dict[str, list[Any]] = {"id": [1, 2, 3], "age": [40.0, float("nan"), 17.0], "city": ["a", "b", "c"]}
    found: list[Any] = [columns, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]]
    pandas: Any = pytest.importorskip("pandas")
    polars: Any = pytest.importorskip("polars")
    return [*found, pandas.DataFrame(columns), polars.DataFrame(columns)]


def test_tables_of_all_kinds_are_read() -> None:
    for frame in frames():
        assert CUSTOMERS.problems(frame) == []


def test_none_among_numbers_is_a_missing_value() -> None:
    assert CUSTOMERS.problems({"id": [1, 2], "age": [None, 7]}) == []
    (problem,) = CUSTOMERS.problems({"id": [1, None], "age": [None, 7]})
    assert str(problem) == "value.id is float64; int is declared."


def test_columns_are_checked_one_by_one() -> None:
    problems = CUSTOMERS.problems({"id": [1, 1], "age": [130, 7]}, place="customers")

    assert [problem.place for problem in problems] == ["customers.id", "customers.age"]
    assert "1 (2 times)" in problems[0].sentence


def test_missing_strange_and_short_columns_are_told() -> None:
    assert [str(p) for p in CUSTOMERS.problems({"ID": [1, 2], "ages": [1, 2]})] == [
        "value has no column 'id'.",
        "value has no column 'age'. There is 'ages'.",
    ]
    strict = Table({"id": Array()}, others=False, at_least=5)
    assert [p.sentence for p in strict.problems({"id": [1], "x": [1]})] == [
        "has columns that are not declared: x.",
        "has 1 rows; at least 5 are declared.",
    ]
    assert "age has rows = 1, but value.id has rows = 2." in str(CUSTOMERS.problems({"id": [1, 2], "age": [1]})[0])
    assert CUSTOMERS.problems(7)[0].sentence == "is int; a table is declared."


def test_one_row_is_checked_by_its_values() -> None:
    contract = Contract(customer=CUSTOMERS).one

    assert contract.problems({"customer": {"id": 3, "age": 20}}) == []
    (problem,) = contract.problems({"customer": {"id": 3, "age": 200}})
    assert problem.place == "customer.age"
