"""Rows for `config show`, `config diff` and `config keys`; whoever shows them decides on columns and colours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from runyard.config.cells import Source
from runyard.config.fields import counts_for_identity
from runyard.config.identity import plain
from runyard.config.schema import Condition, Leaf, children, flatten, schema_of
from runyard.config.typenames import describe_type


class Absent(Enum):
    """Stands for the value of a key that a config does not have."""

    ABSENT = "-"

    def __str__(self) -> str:
        return self.value


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True)
class ShownKey:
    """One key of a resolved config; `default` is ABSENT for a key that the project's default does not have."""

    key: str
    value: Any
    default: Any
    source: Source
    changed: bool


@dataclass(frozen=True)
class DifferingKey:
    """One key that differs between configs; a config without it has ABSENT."""

    key: str
    values: tuple[Any, ...]
    type_changed: bool


@dataclass(frozen=True)
class ConfigDiff:
    """The keys that differ between some configs; `n_keys` counts all, so that one can say `4 of 17`."""

    rows: tuple[DifferingKey, ...]
    n_keys: int

    def _repr_html_(self) -> str:
        from runyard.config.sheets import of_differences  # late: for notebooks alone

        return of_differences([(row.key, row.values) for row in self.rows], n_keys=self.n_keys)


@dataclass(frozen=True)
class DeclaredKey:
    """One key that can be set; `kinds` are the conditions under which it exists (`optim.kind=sgd`)."""

    key: str
    type: str
    default: Any  # ABSENT if it must be set
    help: str
    kinds: tuple[str, ...]
    identity: bool  # False: it does not make a run another run


def show_config(config: BaseModel, default: BaseModel, sources: Mapping[str, Source] | None = None) -> list[ShownKey]:
    """List the keys of a config with where each value comes from; `sources` is that of a PlannedRun."""
    defaults = dict(flatten(default))
    rows = []
    for key, current in flatten(config):
        before = defaults.get(key, ABSENT)
        changed = differ(current, before)
        source = _source_of(key, sources or {})
        rows.append(ShownKey(key, current, before, source, changed))
    return rows


def diff_configs(configs: Sequence[BaseModel | Mapping[str, Any]]) -> ConfigDiff:
    """List the keys in which configs, or stored configs, differ."""
    flat = [_flat(config) for config in configs]
    keys = list(dict.fromkeys(key for each in flat for key in each))
    rows = []
    for key in keys:
        values = tuple(each.get(key, ABSENT) for each in flat)
        if any(differ(value, values[0]) for value in values[1:]):
            kinds = {_kind(value) for value in values if value is not ABSENT and value is not None}
            rows.append(DifferingKey(key, values, len(kinds) > 1))
    return ConfigDiff(tuple(rows), len(keys))


def list_keys(default: BaseModel, pattern: str = "*") -> list[DeclaredKey]:
    """List the keys that can be set, of every kind, filtered by a glob (`optim.*`, `*lr`)."""
    current = dict(flatten(default))
    held = _held_models(default)
    rows = []
    for key, entries in schema_of(type(default)).entries.items():
        for entry in entries:
            if not isinstance(entry.node, Leaf) or not fnmatchcase(key, pattern):
                continue
            is_active = all(_is_met(condition, current) for condition in entry.conditions)
            value = current[key] if is_active and key in current else _declared_default(entry.node)
            rows.append(
                DeclaredKey(
                    key=key,
                    type=describe_type(entry.node.annotation),
                    default=value,
                    help=entry.node.info.description or "",
                    kinds=tuple(str(condition) for condition in entry.conditions),
                    identity=counts_for_identity(entry.node.info) and held.get(key.rpartition(".")[0], True),
                )
            )
    return rows


def differ(one: Any, other: Any) -> bool:
    """Say whether two values are shown as different: 1 and 1.0 are, NaN and NaN are not."""
    return type(one) is not type(other) or (one != other and not (one != one and other != other))


def _source_of(key: str, sources: Mapping[str, Source]) -> Source:
    while key not in sources and "." in key:
        key = key.rpartition(".")[0]
    return sources.get(key, "default")


def _flat(config: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(config, BaseModel):
        return {key: plain(value) for key, value in flatten(config)}
    return dict(_flatten_mapping(config, ""))


def _flatten_mapping(tree: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for key, inner in tree.items():
        if isinstance(inner, Mapping) and inner:
            yield from _flatten_mapping(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inner


def _kind(value: Any) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _held_models(default: BaseModel, prefix: str = "", counts: bool = True) -> dict[str, bool]:
    """Say for each block whether it counts for identity, as a block may be left out as a whole."""
    held = {prefix.rstrip("."): counts}
    for name, node in children(type(default)).items():
        inner = getattr(default, name)
        if not isinstance(node, Leaf) and isinstance(inner, BaseModel):
            held |= _held_models(inner, f"{prefix}{name}.", counts and counts_for_identity(node.info))
    return held


def _is_met(condition: Condition, current: Mapping[str, Any]) -> bool:
    return str(current.get(condition.key)) in condition.kinds


def _declared_default(leaf: Leaf) -> Any:
    default = leaf.info.get_default(call_default_factory=True, validated_data={})
    return ABSENT if default is PydanticUndefined else default
