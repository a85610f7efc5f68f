"""Defaults that are no `Config`: a plain dict or a dataclass becomes one, so that an old project works at once."""

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from runyard.config.model import Config
from runyard.errors import ConfigError


class PlainConfig(Config):
    """A config made of a plain default: reads like the dict it was, and can be sent to data-loader processes."""

    def __getitem__(self, key: str) -> Any:
        if key not in type(self).model_fields:
            raise KeyError(key)
        return getattr(self, key)

    def __reduce__(self) -> tuple[Any, ...]:  # its class exists in this process only
        kinds = {name: None if _is_made(info.annotation) else info.annotation for name, info in _fields_of(self)}
        return _remake, (type(self).__name__, {name: (kind, getattr(self, name)) for name, kind in kinds.items()})


def as_config(default: Any) -> BaseModel:
    """Give a default as a config: a `Config` as it is, a dict by the types of its values, a dataclass by its own.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(default, BaseModel):
        return default
    if isinstance(default, Mapping):
        return _from_mapping("DictConfig", default)
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return _from_dataclass(default)
    if isinstance(default, type):
        raise ConfigError(f"the default is the class {default.__name__}. Write {default.__name__}(), with parentheses")
    raise ConfigError(f"a default is a Config, a dict or a dataclass, not {type(default).__name__}")


def _from_mapping(name: str, default: Mapping[str, Any]) -> BaseModel:
    fields: dict[str, Any] = {}
    for key, value in default.items():
        if isinstance(value, Mapping) and value and all(_can_be_a_field(inner) for inner in value):
            block = _from_mapping(f"{name}_{key}", value)
            fields[key] = (type(block), block)
        else:
            fields[key] = (_type_of(value), value)
    return _make(name, fields)


def _from_dataclass(default: Any) -> BaseModel:
    hints = get_type_hints(type(default), include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(default):
        value = getattr(default, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            block = _from_dataclass(value)
            fields[field.name] = (type(block), block)
        else:
            fields[field.name] = (hints[field.name], value)
    return _make(type(default).__name__, fields)


def _make(name: str, fields: dict[str, Any]) -> BaseModel:
    with warnings.catch_warnings():  # a key such as `copy` hides a method of pydantic, which nobody calls here
        warnings.filterwarnings("ignore", message="Field name .* shadows an attribute")
        made = create_model(name, __base__=PlainConfig, **fields)
    return made()


def _remake(name: str, fields: dict[str, tuple[Any, Any]]) -> BaseModel:
    """Make a config as it was in another process; a block comes as a made config itself."""
    return _make(name, {key: (type(held) if kind is None else kind, held) for key, (kind, held) in fields.items()})


def _fields_of(config: BaseModel) -> Iterable[tuple[str, FieldInfo]]:
    return type(config).model_fields.items()


def _is_made(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, PlainConfig)


def _type_of(value: Any) -> Any:
    """Give the type that a default speaks of; None and mixed lists leave it open."""
    if value is None:
        return Any
    if isinstance(value, list | tuple):
        kinds = {type(item) for item in value}
        item = _type_of(value[0]) if len(kinds) == 1 else float if kinds == {int, float} else Any
        return list[item]  # type: ignore[valid-type]  # a type that is only known now
    if isinstance(value, Mapping):
        return dict[str, Any]
    return type(value)


def _can_be_a_field(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier() and not key.startswith("_")
