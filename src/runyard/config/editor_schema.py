"""JSON schemas for editors: completion and red underlines in `experiments/*.yaml`, and a launch form."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from runyard.config.identity import plain
from runyard.config.schema import Leaf, flatten, schema_of

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class _Lenient(GenerateJsonSchema):
    """Lets anything stand where a project has a type that JSON cannot describe."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  as pydantic declares it

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        """Describe such a type by nothing."""
        return {}


def config_schema(default: BaseModel) -> dict[str, Any]:
    """Give the JSON schema of a config, as a form for it needs: nested, with types, limits, help and defaults."""
    schema: dict[str, Any] = type(default).model_json_schema(schema_generator=_Lenient)
    current = {name: plain(getattr(default, name)) for name in type(default).model_fields}
    for name, described in schema.get("properties", {}).items():
        described["default"] = current[name]
    return {"$schema": _DRAFT, **schema}


def experiment_schema(default: BaseModel) -> dict[str, Any]:
    """Give the JSON schema of an experiment file over this default."""
    definitions: dict[str, Any] = {}
    single = {key: _value_schema(default, key, definitions) for key in schema_of(type(default)).leaf_keys}
    several = {key: {"anyOf": [one, {"type": "array", "items": one}]} for key, one in single.items()}
    base = {"type": "object", "additionalProperties": False, "properties": single}
    varied = {"type": "object", "additionalProperties": False, "properties": several}
    blocks: dict[str, Any] = {
        "base": base,
        "grid": varied,
        "zip": {"anyOf": [varied, {"type": "array", "items": varied}]},
        "exclude": {"type": "array", "items": _with_why(varied)},
        "repeat": {"type": "integer", "minimum": 1},
    }
    branch = {"type": "object", "required": ["if"], "properties": {"if": varied, **blocks}}
    blocks["when"] = {"type": "array", "items": branch}
    part = {"type": "object", "additionalProperties": False, "properties": blocks}
    text = {"type": "string"}
    resources = {"type": "object", "properties": {name: {} for name in _RESOURCES}, "additionalProperties": False}
    whole = {**blocks, "chain": {"type": "array", "items": part}, "config": text, "include": text, "name": text}
    return {
        "$schema": _DRAFT,
        "title": f"An experiment over {type(default).__name__}",
        "type": "object",
        "additionalProperties": False,
        "properties": {**whole, "resources": resources},
        "$defs": definitions,
    }


_RESOURCES = ("gpus", "cpus", "gpu_memory", "memory", "time")


def _value_schema(default: BaseModel, key: str, definitions: dict[str, Any]) -> dict[str, Any]:
    leaves = schema_of(type(default)).leaves(key)
    described = [_leaf_schema(leaf, definitions) for leaf in leaves]
    distinct = [each for number, each in enumerate(described) if each not in described[:number]]
    one: dict[str, Any] = dict(distinct[0]) if len(distinct) == 1 else {"anyOf": distinct}
    help_text = next((leaf.info.description for leaf in leaves if leaf.info.description), None)
    if help_text:
        one["description"] = help_text
    current = dict(flatten(default))
    return {**one, "default": plain(current[key])} if key in current else one


def _leaf_schema(leaf: Leaf, definitions: dict[str, Any]) -> dict[str, Any]:
    described = TypeAdapter(leaf.annotation).json_schema(ref_template="#/$defs/{model}", schema_generator=_Lenient)
    definitions.update(described.pop("$defs", {}))
    return described


def _with_why(varied: dict[str, Any]) -> dict[str, Any]:
    return {**varied, "properties": {**varied["properties"], "why": {"type": "string"}}}
