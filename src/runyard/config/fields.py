"""`Field`: a setting with a default, a help text, limits, and whether it makes a run another run."""

from typing import Any

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_IDENTITY = "x-runyard-identity"


def Field(default: Any = PydanticUndefined, *, identity: bool = True, help: str | None = None, **limits: Any) -> Any:
    """Declare a field of a `Config`.

    Args:
        default: the value when nothing else is said.
        identity: False for settings that do not change the result (`num_workers`): two configs that
            differ only there are the same run.
        help: one sentence, shown by `run.py config keys`.
        limits: what `pydantic.Field` takes: `gt`, `ge`, `lt`, `le`, `min_length`, `pattern`, `discriminator` …
    """
    if help is not None:
        limits.setdefault("description", help)
    if not identity:
        limits["json_schema_extra"] = {**(limits.get("json_schema_extra") or {}), _IDENTITY: False}
    field: Any = pydantic.Field(default, **limits)
    return field


def counts_for_identity(info: FieldInfo) -> bool:
    """Say whether two configs that differ in this field are two runs."""
    extra = info.json_schema_extra
    return not (isinstance(extra, dict) and extra.get(_IDENTITY) is False)
