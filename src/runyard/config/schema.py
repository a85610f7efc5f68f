"""The keys of a config class: dotted names, their types, and under which kind each exists.

A field whose type is a model is a *block*; a union of models told apart by one of their fields
(`optim: Adam | SGD`, told apart by `kind`) is a block of several *kinds*. Everything else is a *leaf*.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

_DEEPEST_RECURSION = 2  # of a model that contains itself: keys below that depth are not listed


@dataclass(frozen=True, eq=False)
class Leaf:
    """A key that holds one value."""

    info: FieldInfo
    annotation: Any  # with its limits, as Annotated

    @property
    def bare(self) -> Any:
        """The type without its limits."""
        return strip_annotated(self.annotation)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Checks a value against the type and its limits."""
        return TypeAdapter(self.annotation)


@dataclass(frozen=True, eq=False)
class Block:
    """A key that holds further keys; `models` has one entry per kind, or one under "" if there are no kinds."""

    info: FieldInfo
    models: dict[str, type[BaseModel]]
    discriminator: str | None
    is_optional: bool

    def kind_of(self, model: BaseModel) -> str:
        """Give the kind of a value of this block."""
        return str(getattr(model, self.discriminator)) if self.discriminator else ""


@dataclass(frozen=True)
class Condition:
    """A key exists only while the discriminator `key` has one of `kinds`."""

    key: str
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}={' or '.join(self.kinds)}"


@dataclass(frozen=True, eq=False)
class Entry:
    """One key below the kinds in `conditions`; a key that several kinds have has one entry for each."""

    key: str
    node: Leaf | Block
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, eq=False)
class Schema:
    """All keys of a config class, in the order in which they are declared."""

    model: type[BaseModel]
    entries: dict[str, list[Entry]]

    @cached_property
    def leaf_keys(self) -> list[str]:
        """Names of all keys that hold a value, of every kind."""
        return [key for key, entries in self.entries.items() if isinstance(entries[0].node, Leaf)]

    def leaves(self, key: str) -> list[Leaf]:
        """Give the leaves that a key can be, one per kind; empty if there is no such key or it is a block."""
        return [entry.node for entry in self.entries.get(key, ()) if isinstance(entry.node, Leaf)]

    def block(self, key: str) -> Block | None:
        """Give the block of that name, or None."""
        return next((entry.node for entry in self.entries.get(key, ()) if isinstance(entry.node, Block)), None)


@lru_cache(maxsize=256)
def schema_of(model: type[BaseModel]) -> Schema:
    """List the keys of a config class."""
    entries: dict[str, list[Entry]] = {}
    for entry in _walk(model, "", (), (model,)):
        entries.setdefault(entry.key, []).append(entry)
    return Schema(model, entries)


@lru_cache(maxsize=1024)
def children(model: type[BaseModel]) -> dict[str, Leaf | Block]:
    """List the fields of one model class."""
    return {name: _classify(info) for name, info in model.model_fields.items()}


def flatten(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give each dotted key of a config with its value; a block that is None comes as one key."""
    for name in type(model).model_fields:
        current = getattr(model, name)
        if isinstance(current, BaseModel):
            yield from flatten(current, f"{prefix}{name}.")
        else:
            yield prefix + name, current


def strip_annotated(annotation: Any) -> Any:
    """Give the bare type of an annotation with limits."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def union_members(annotation: Any) -> list[Any]:
    """Give the members of a union, or the type itself as its only member."""
    bare = strip_annotated(annotation)
    return list(get_args(bare)) if get_origin(bare) in (Union, UnionType) else [bare]


def is_model(annotation: Any) -> bool:
    """Say whether a type is a class of configs."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _walk(
    model: type[BaseModel], prefix: str, conditions: tuple[Condition, ...], above: tuple[type[BaseModel], ...]
) -> Iterator[Entry]:
    for name, node in children(model).items():
        key = prefix + name
        yield Entry(key, node, conditions)
        if isinstance(node, Block):
            yield from _walk_block(node, key, conditions, above)


def _walk_block(
    block: Block, key: str, conditions: tuple[Condition, ...], above: tuple[type[BaseModel], ...]
) -> Iterator[Entry]:
    if block.discriminator:
        choice = f"{key}.{block.discriminator}"
        literal: Any = Literal[tuple(block.models)]
        yield Entry(choice, Leaf(FieldInfo(annotation=literal), literal), conditions)
    for model in dict.fromkeys(block.models.values()):
        if above.count(model) > _DEEPEST_RECURSION:
            continue
        inner = conditions
        if block.discriminator:
            inner = (*conditions, Condition(choice, tuple(k for k, m in block.models.items() if m is model)))
        for entry in _walk(model, f"{key}.", inner, (*above, model)):
            if not (block.discriminator and entry.key == choice):
                yield entry


def _classify(info: FieldInfo) -> Leaf | Block:
    members = [member for member in union_members(info.annotation) if member is not NoneType]
    is_optional = len(members) < len(union_members(info.annotation))
    discriminator = info.discriminator
    if len(members) == 1 and not is_model(members[0]):  # Annotated[A | B, Field(discriminator=…)] | None
        inner = [extra for extra in get_args(members[0])[1:] if isinstance(extra, FieldInfo)]
        discriminator = next((extra.discriminator for extra in inner if extra.discriminator), discriminator)
        members = union_members(members[0])
    members = [strip_annotated(member) for member in members]
    if all(is_model(member) for member in members):
        if len(members) == 1:
            return Block(info, {"": members[0]}, None, is_optional)
        name = discriminator if isinstance(discriminator, str) else _common_literal(members)
        if name:
            return Block(info, _kinds(members, name), name, is_optional)
    bare: Any = info.annotation
    return Leaf(info, Annotated[(bare, *info.metadata)] if info.metadata else bare)


def _common_literal(members: list[type[BaseModel]]) -> str | None:
    shared = [name for name in members[0].model_fields if all(name in member.model_fields for member in members)]
    for name in shared:
        if all(get_origin(member.model_fields[name].annotation) is Literal for member in members):
            return name
    return None


def _kinds(members: list[type[BaseModel]], name: str) -> dict[str, type[BaseModel]]:
    return {str(kind): member for member in members for kind in get_args(member.model_fields[name].annotation)}
