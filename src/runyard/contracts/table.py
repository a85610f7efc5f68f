"""A table: columns by name, each with what is promised of it."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from difflib import get_close_matches
from typing import Any

from runyard.contracts.array import Array, Dims
from runyard.contracts.problems import Problem, require_none

ROWS = "rows"


@dataclass(frozen=True)
class Table:
    """A frame of pandas or polars, a dict of columns, or a list of dicts.

        Table({"age": Array(dtype="number", range=(0, 120)), "city": Array(dtype="text", missing=True)})

    Attributes:
        columns: by name; a column without a shape has one value a row.
        others: further columns are allowed.
        at_least: so many rows must be there.
    """

    columns: Mapping[str, Array]
    _: KW_ONLY
    others: bool = True
    at_least: int | None = None

    @property
    def one(self) -> "Table":
        """What holds for a single row, given as a dict of values."""
        columns = {name: replace(column.one, shape=column.one.shape or ()) for name, column in self.columns.items()}
        return replace(self, columns=columns, at_least=None)

    def problems(self, value: Any, *, place: str = "value", dims: Dims | None = None) -> list[Problem]:
        """Everything that the table does not keep; empty if it is as declared. See `Array.problems`."""
        given = columns_of(value)
        if given is None:
            return [Problem(place, f"is {type(value).__name__}; a table is declared.")]
        known = {} if dims is None else dims
        found = [Problem(place, sentence) for sentence in self._missing(given)]
        for name, column in self.columns.items():
            if name in given:
                whole = column if column.shape is not None else replace(column, shape=(ROWS,))
                found += whole.problems(given[name], place=f"{place}.{name}", dims=known)
        rows = known.get(ROWS, (None, ""))[0]
        if self.at_least is not None and rows is not None and rows < self.at_least:
            found.append(Problem(place, f"has {rows:,} rows; at least {self.at_least:,} are declared."))
        return found

    def check(self, value: Any, *, place: str = "value") -> None:
        """Do nothing if the table is as declared.

        Raises:
            ContractBroken: it is not.
        """
        require_none(self.problems(value, place=place), what="The value")

    def schema(self) -> dict[str, Any]:
        """A row as a JSON schema."""
        columns = {name: column.schema() for name, column in self.one.columns.items()}
        return {"type": "object", "properties": columns, "required": list(columns)}

    def _missing(self, given: Mapping[str, Any]) -> list[str]:
        sentences = []
        for name in self.columns:
            if name not in given:
                near = get_close_matches(name, [str(key) for key in given], n=1)
                guess = f" There is '{near[0]}'." if near else ""
                sentences.append(f"has no column '{name}'.{guess}")
        strange = [str(name) for name in given if name not in self.columns]
        if strange and not self.others:
            sentences.append(f"has columns that are not declared: {', '.join(strange[:8])}.")
        return sentences


def columns_of(value: Any) -> Mapping[str, Any] | None:
    """Columns by name of whatever holds a table; None if it is none."""
    if isinstance(value, Mapping):
        return value
    if hasattr(value, "columns") and hasattr(value, "__getitem__"):  # a frame
        return {str(name): value[name] for name in value.columns}
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(row, Mapping) for row in value):
        names = dict.fromkeys(name for row in value for name in row)
        return {name: [row.get(name) for row in value] for name in names}
    return None
