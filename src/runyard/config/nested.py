"""Values in nested dictionaries, by dotted key."""

from collections.abc import Mapping
from typing import Any


def value_at(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None where there is none."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def with_value(config: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted key, which exists."""
    first, _, rest = key.partition(".")
    return {**config, first: with_value(config[first], rest, value) if rest else value}
