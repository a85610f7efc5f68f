"""From a default config and the keys set over it to a validated config.

Setting the discriminator of a block (`optim.kind=sgd`) drops the default's keys of the other kind and
takes the defaults of the new one. A key that is set though the chosen kind lacks it is a problem.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from runyard.config.cells import Cell
from runyard.config.decoding import BadValue
from runyard.config.scalars import show_raw
from runyard.config.schema import Block, Condition, Leaf, children, schema_of
from runyard.config.typenames import describe_type

_Tree = dict[str, Any]  # names to cells or to further trees


@dataclass(frozen=True)
class Problem:
    """Why one config cannot be built."""

    text: str
    advice: str = ""  # what to do if this is one of many rows
    advice_alone: str = ""  # what to do if there is only this config
    where: str = ""
    label: str = ""  # what tells the row from the others

    def alone(self) -> str:
        """Write the problem of the only config there is."""
        return f"{self.where}{self.text} {self.advice_alone}".strip()


class Unbuildable(Exception):
    """The keys do not make a config; `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.text for problem in problems))


class Builder:
    """Builds configs over a default, or over the defaults of a class.

    What was decoded once is remembered, as grids repeat their values.
    """

    def __init__(self, start: BaseModel | type[BaseModel]) -> None:
        self.start = start if isinstance(start, BaseModel) else None
        self.model = type(start) if isinstance(start, BaseModel) else start
        self.schema = schema_of(self.model)
        self._root = Block(FieldInfo(annotation=self.model), {"": self.model}, None, False)
        self._decoded: dict[tuple[Cell, Leaf], Any] = {}

    def build(self, cells: Mapping[str, Cell]) -> BaseModel:
        """Give the start with these keys set.

        Raises:
            Unbuildable: a key is illegal for the chosen kind, a value does not fit, or a validator refuses.
        """
        attempt = _Attempt(cells)
        config = self._fill(self._root, self.start, _as_tree(cells), "", attempt)
        if config is None:
            raise Unbuildable(attempt.problems)
        return config

    def value(self, cell: Cell, leaves: list[Leaf]) -> Any:
        """Decode a cell by the first of these types that it fits."""
        for leaf in leaves:
            try:
                return self._decode(cell, leaf)
            except BadValue:
                continue
        return cell.raw

    def _decode(self, cell: Cell, leaf: Leaf) -> Any:
        found = self._decoded.get((cell, leaf), self)
        if found is self:
            found = self._decoded[cell, leaf] = cell.decode(leaf)
        return found

    def _fill(self, block: Block, current: Any, tree: _Tree, prefix: str, attempt: "_Attempt") -> BaseModel | None:
        """Set the keys below `prefix` over the current value of the block; None if there are problems."""
        kind = self._kind(block, current, tree, prefix, attempt)
        if kind is None:
            return None
        model = block.models[kind]
        is_same = type(current) is model
        content = {name: getattr(current, name) for name in model.model_fields} if is_same else {}
        if block.discriminator:
            content[block.discriminator] = kind
        for name, below in tree.items():
            child = children(model).get(name)
            if name == block.discriminator:
                continue
            if child is None:
                attempt.problems.extend(_misplaced(block, kind, prefix, name, below))
            elif isinstance(child, Leaf):
                self._fill_leaf(content, name, child, below, attempt)
            elif isinstance(below, Cell):  # an optional block as a whole: null, or {} for its own defaults
                content[name] = None if below.raw is None else self._fill(child, None, {}, f"{below.key}.", attempt)
            else:
                inner = content[name] if is_same else _field_default(model, name)
                content[name] = self._fill(child, inner, below, f"{prefix}{name}.", attempt)
        return None if attempt.problems else self._validate(model, content, prefix, attempt)

    def _fill_leaf(self, content: dict[str, Any], name: str, leaf: Leaf, cell: Any, attempt: "_Attempt") -> None:
        try:
            content[name] = self._decode(cell, leaf)
        except BadValue as bad:
            attempt.problems.extend(Problem(f"'{cell.key}': {text}", where=cell.written.where) for text in bad.args)

    def _kind(self, block: Block, current: Any, tree: _Tree, prefix: str, attempt: "_Attempt") -> str | None:
        if not block.discriminator:
            return ""
        cell = tree.get(block.discriminator)
        if isinstance(cell, Cell):
            return str(self.value(cell, self.schema.leaves(cell.key)))
        if isinstance(current, BaseModel):
            return block.kind_of(current)
        choices = " or ".join(f"{prefix}{block.discriminator}={kind}" for kind in block.models)
        key = _first_cell(tree).key if tree else prefix.rstrip(".")
        attempt.problems.append(Problem(f"'{key}' needs {choices} beside it", where=attempt.where(key)))
        return None

    def _validate(
        self, model: type[BaseModel], content: dict[str, Any], prefix: str, attempt: "_Attempt"
    ) -> BaseModel | None:
        """Make a model of its fields; pydantic's complaints, mostly of a project's own rules, become ours."""
        try:
            return model.model_validate(content)
        except ValidationError as error:
            attempt.problems.extend(self._translate(entry, model, prefix, attempt) for entry in error.errors())
            return None

    def _translate(self, entry: Any, model: type[BaseModel], prefix: str, attempt: "_Attempt") -> Problem:
        key = (prefix + _key_of(model, entry["loc"])).rstrip(".")
        where = attempt.where(key)
        said = entry["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        if entry["type"] == "missing":
            return Problem(f"'{key}' has no value and no default; set it", where=where)
        if entry["type"] in ("value_error", "assertion_error"):
            return Problem(f"'{key}': {said}" if key else said, where=where, label=_label(attempt.cells))
        leaves = self.schema.leaves(key)
        wanted = f" is no {describe_type(leaves[0].bare)}" if leaves else f": {said}"
        return Problem(f"'{key}': {show_raw(entry['input'])}{wanted}", where=where)


@dataclass(eq=False)
class _Attempt:
    """What building one config goes by, and what is found wrong on the way."""

    cells: Mapping[str, Cell]
    problems: list[Problem] = field(default_factory=list)

    def where(self, key: str) -> str:
        """Tell where a key was set, if a file did."""
        return self.cells[key].written.where if key in self.cells else ""


def _as_tree(cells: Mapping[str, Cell]) -> _Tree:
    tree: _Tree = {}
    for key, cell in cells.items():
        *parents, name = key.split(".")
        below = tree
        for parent in parents:
            inner = below.get(parent)
            if not isinstance(inner, dict):  # nothing yet, or an optional block that a lower layer set to null
                inner = below[parent] = {}
            below = inner
        below[name] = cell
    return tree


def _first_cell(tree: _Tree) -> Cell:
    inner = next(iter(tree.values()))
    return inner if isinstance(inner, Cell) else _first_cell(inner)


def _misplaced(block: Block, kind: str, prefix: str, name: str, below: Any) -> list[Problem]:
    """Name the kinds that have a key which the chosen kind lacks."""
    cell = below if isinstance(below, Cell) else _first_cell(below)
    choice = f"{prefix}{block.discriminator}"
    owners = [other for other, model in block.models.items() if name in model.model_fields]
    owner = Condition(choice, tuple(owners))
    condition = owners[0] if len(owners) == 1 else f"[{', '.join(owners)}]"
    return [
        Problem(
            f"'{cell.key}' belongs to {owner} only.",
            advice=f"Put it under when: {{{choice}: {condition}}}",
            advice_alone=f"Here {choice}={kind}; set {choice}={owners[0] if owners else '…'} too, or leave it out",
            where=cell.written.where,
            label=f"{choice}={kind}",
        )
    ]


def _field_default(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].get_default(call_default_factory=True, validated_data={})


def _label(cells: Mapping[str, Cell]) -> str:
    swept = [
        f"{key}={show_raw(cell.raw).strip(chr(39))}" for key, cell in cells.items() if cell.written.source == "grid"
    ]
    return ", ".join(swept[:4])


def _key_of(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """Turn pydantic's location into a dotted key: the fields it names, without items of lists and kinds of unions."""
    names: list[str] = []
    at: dict[str, Leaf | Block] = children(model)
    for part in loc:
        if str(part) not in at:
            break
        names.append(str(part))
        node = at[str(part)]
        at = {} if isinstance(node, Leaf) or node.discriminator else children(node.models[""])
    return ".".join(names)
