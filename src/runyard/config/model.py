"""`Config`: the typed settings of a run, frozen, with no unknown keys.

A stored config outlives its class. It is read under today's schema: renamed keys follow `upgrades`,
fields that came later take their defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from runyard.config.building import Builder, Unbuildable
from runyard.config.cells import Cell, read_single, written_mapping
from runyard.config.identity import Identity, identify, plain
from runyard.config.schema import schema_of
from runyard.config.yaml_source import Section
from runyard.errors import ConfigError


@dataclass(frozen=True)
class Upgrade:
    """A key that stored configs have and today's class has not: under `new` now, or gone if that is None."""

    old: str
    new: str | None


def rename(old: str, new: str) -> Upgrade:
    """Say that a key of older configs is called `new` now."""
    return Upgrade(old, new)


def removed(old: str) -> Upgrade:
    """Say that a key of older configs exists no more and made no difference."""
    return Upgrade(old, None)


class Config(BaseModel):
    """Base of a project's settings: fields with types and defaults, checked when one is made."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, populate_by_name=True, protected_namespaces=()
    )
    upgrades: ClassVar[list[Upgrade]] = []

    def replace(self, changes: Mapping[str, Any]) -> Self:
        """Give a copy with some keys set, dotted ones too: `config.replace({"optim.lr": 0.01})`.

        Raises:
            ConfigError: an unknown key or a value that does not fit; all of them at once.
        """
        problems: list[str] = []
        cells: dict[str, Cell] = {}
        for written in written_mapping(changes, "file"):
            cells |= read_single(schema_of(type(self)), written, problems)
        return build_alone(self, cells, problems)

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as nested mappings, lists, texts and numbers, as they are stored."""
        return {name: plain(getattr(self, name)) for name in type(self).model_fields}

    def _repr_html_(self) -> str:
        from runyard.config.sheets import of_config  # late: for notebooks alone

        return of_config(self)


AnyConfig = TypeVar("AnyConfig", bound=BaseModel)


def build_alone(start: AnyConfig | type[AnyConfig], cells: Mapping[str, Cell], problems: list[str]) -> AnyConfig:
    """Build a single config; raise ConfigError with the problems found before, or those of the config."""
    if problems:
        raise ConfigError(problems)
    try:
        built: Any = Builder(start).build(cells)
    except Unbuildable as error:
        raise ConfigError([problem.alone() for problem in error.problems]) from None
    config: AnyConfig = built  # of the class of `start`, which mypy cannot see through the builder
    return config


def revalidate(
    stored: Mapping[str, Any], config_class: type[AnyConfig], *, file: str = "", over: AnyConfig | None = None
) -> AnyConfig:
    """Read a stored config under today's class.

    Args:
        stored: nested or dotted keys; not necessarily all.
        config_class: the class of the project's default.
        file: named in the messages.
        over: where the keys that are not stored come from; the defaults of the class if None.

    Raises:
        ConfigError: it holds keys or values that the class does not know, even after its upgrades.
    """
    problems: list[str] = []
    cells: dict[str, Cell] = {}
    for written in written_mapping(upgrade(stored, config_class), "file", file=file):
        cells |= read_single(schema_of(config_class), written, problems)
    return build_alone(over or config_class, cells, problems)


def rehash(stored: Mapping[str, Any], config_class: type[BaseModel]) -> Identity:
    """Give the identity that a stored config has under today's class, to compare it with today's configs."""
    return identify(revalidate(stored, config_class))


def upgrade(stored: Mapping[str, Any], config_class: type[BaseModel]) -> dict[str, Any]:
    """Give a stored config with its old keys moved to where they are today."""
    tree: Any = _copy(stored)
    upgrades: list[Upgrade] = getattr(config_class, "upgrades", [])
    for step in upgrades:
        found, moved = _take(tree, step.old.split("."))
        if found and step.new is not None:
            _put(tree, step.new.split("."), moved)
    assert isinstance(tree, dict)
    return tree


def _copy(tree: Any) -> Any:
    """Copy the mappings alone: lists and values are not changed here."""
    if not isinstance(tree, Mapping):
        return tree
    copied: dict[str, Any] = Section() if isinstance(tree, Section) else {}
    copied.update({key: _copy(inner) for key, inner in tree.items()})
    if isinstance(tree, Section) and isinstance(copied, Section):
        copied.lines.update(tree.lines)
    return copied


def _take(tree: Any, path: list[str]) -> tuple[bool, Any]:
    for name in path[:-1]:
        tree = tree.get(name) if isinstance(tree, dict) else None
    if not isinstance(tree, dict) or path[-1] not in tree:
        return False, None
    return True, tree.pop(path[-1])


def _put(tree: dict[str, Any], path: list[str], moved: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree.setdefault(path[-1], moved)
