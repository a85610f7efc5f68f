"""Which configs are the same: a hash of the full, validated config.

Settings marked `identity=False` do not count. Numbers are written in one way (1, 1.0 and 1e0 are one
number), so that changing a field from int to float keeps the ids of old runs.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from math import isfinite
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from runyard.config.fields import counts_for_identity

SEED = "seed"
SHORT_LENGTH = 8  # hex digits of an id in names and folders
_EXACT_INTEGERS = 2.0**53


@dataclass(frozen=True, slots=True)
class Identity:
    """The id of a config, and of the group of configs that differ from it in the seed alone; SHA-256, hex."""

    config_id: str
    group: str

    @property
    def short(self) -> str:
        """The first 8 digits, for people."""
        return self.config_id[:SHORT_LENGTH]


def identify(config: BaseModel) -> Identity:
    """Hash a config."""
    tree = {name: canonical(getattr(config, name)) for name in _identity_fields(type(config))}
    config_id = _hash(tree)
    if SEED not in tree:
        return Identity(config_id, config_id)
    del tree[SEED]
    return Identity(config_id, _hash(tree))


def identify_stored(config: Mapping[str, Any], uncounted: Collection[str] = ()) -> Identity:
    """Hash a config as run.json holds it, without its class.

    Args:
        uncounted: dotted keys of settings that do not count, as `uncounted_keys` lists them.
    """
    tree = _without(canonical(config), uncounted)
    config_id = _hash(tree)
    tree.pop(SEED, None)
    return Identity(config_id, _hash(tree))


def uncounted_keys(config: BaseModel) -> tuple[str, ...]:
    """Dotted keys of the settings of a config that do not count for its identity."""
    found: list[str] = []
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        if not counts_for_identity(info):
            found.append(name)
        elif isinstance(value, BaseModel):
            found += [f"{name}.{key}" for key in uncounted_keys(value)]
    return tuple(found)


def hash_ids(ids: list[str]) -> str:
    """Give one stable id to a set of configs, whatever their order."""
    return _hash(sorted(set(ids)))


def canonical(value: Any) -> Any:
    """Write a value as JSON in the one way in which it is hashed."""
    if value is None or isinstance(value, str | bool):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float):
        return _canonical_float(value)
    if isinstance(value, BaseModel):
        return {name: canonical(getattr(value, name)) for name in _identity_fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    return _collect(value, canonical)


def plain(value: Any) -> Any:
    """Write a value with what JSON and YAML can hold: mappings, lists, texts, numbers (infinities stay floats)."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if value is None or (isinstance(value, str | bool | int | float) and not isinstance(value, Enum)):
        return value
    return _collect(value, plain)


def _collect(value: Any, each: Any) -> Any:
    if isinstance(value, Enum):
        return each(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list | tuple):
        return [each(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((each(item) for item in value), key=json.dumps)
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date | time | timedelta):
        return to_jsonable_python(value)
    return each(to_jsonable_python(value, fallback=str))


def _without(tree: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The tree without the settings of these dotted keys."""
    inner: dict[str, list[str]] = {}
    for key in keys:
        name, _, rest = key.partition(".")
        inner.setdefault(name, []).append(rest)
    kept = {}
    for name, value in tree.items():
        if name not in inner:
            kept[name] = value
        elif "" not in inner[name] and isinstance(value, dict):
            kept[name] = _without(value, inner[name])
    return kept


def _canonical_float(value: float) -> Any:
    if not isfinite(value):
        return {"float": str(value)}  # no JSON number; a mapping, as a text field may hold the text "nan"
    return int(value) if value.is_integer() and abs(value) < _EXACT_INTEGERS else value


@lru_cache(maxsize=1024)
def _identity_fields(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name, info in model.model_fields.items() if counts_for_identity(info))


def _hash(tree: Any) -> str:
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
