"""Settings as a journal keeps them: flat, by dotted name."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runyard.errors import UsageError


def dotted(settings: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name; an empty section stays, as one.

    Values that are not JSON-like become text.

    Raises:
        UsageError: a name is no text, or empty.
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if not isinstance(name, str) or not name:
            raise UsageError(f"A setting's name is text that is not empty, not {name!r} below {prefix or 'the top'!r}.")
        if isinstance(value, Mapping) and value:
            found |= dotted(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = msgspec.to_builtins(value, str_keys=True, enc_hook=plain_value)
    return found


def plain_value(value: Any) -> Any:
    """What stands for a foreign value among settings: a scalar, an array, the fields of a model, or else its text."""
    for attribute in ("tolist", "item", "model_dump"):
        if callable(getattr(value, attribute, None)):
            return getattr(value, attribute)()
    return str(value)
