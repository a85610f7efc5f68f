"""Does a row match `{"model.name": "vit"}`, or a function of its config?"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel

from runyard.config.building import Builder
from runyard.config.cells import Cell, Written, explain_unknown, read_dimension

Test: TypeAlias = Callable[[Mapping[str, Cell], Callable[[], BaseModel | None]], bool]
_ABSENT = object()


class Conditions:
    """Compiles conditions for one config class; what is wrong with them goes into `problems`."""

    def __init__(self, builder: Builder, problems: list[str]) -> None:
        self._builder = builder
        self._problems = problems

    def compile(self, condition: Any) -> Test:
        """Give a test that takes the cells of a row and a way to its config."""
        if callable(condition):
            return lambda cells, config: (made := config()) is not None and bool(condition(made))
        wanted = [(written.key, self._values(written)) for written in condition]
        return lambda cells, config: all(self._value(key, cells, config) in values for key, values in wanted)

    def _values(self, written: Written) -> list[Any]:
        """Read the values of one key of a condition: several mean any of them."""
        schema = self._builder.schema
        leaves = schema.leaves(written.key)
        if not leaves:
            is_block = schema.block(written.key) is not None
            text = f"'{written.key}' holds further keys; name one of them in a condition"
            self._problems.append(written.where + (text if is_block else explain_unknown(schema, written.key)))
            return []
        choices = read_dimension(schema, written, self._problems)
        return [self._builder.value(choice[written.key], leaves) for choice in choices]

    def _value(self, key: str, cells: Mapping[str, Cell], config: Callable[[], BaseModel | None]) -> Any:
        """Look a key up: among what the row sets, else in its config (a row that cannot be built matches nothing)."""
        if key in cells:
            return self._builder.value(cells[key], self._builder.schema.leaves(key))
        found: Any = config()
        for name in key.split("."):
            found = getattr(found, name, _ABSENT)
        return found
