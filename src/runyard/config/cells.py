"""One key set to one written value, with where it was written: the atom of overrides and sweeps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel

from runyard.config.decoding import BadValue, decode, is_block_value
from runyard.config.lists import fits_any, read_values
from runyard.config.scalars import Scalar, Several, Single, show_raw
from runyard.config.schema import Block, Leaf, Schema
from runyard.config.suggestions import unknown_key
from runyard.config.typenames import describe_type
from runyard.config.yaml_source import Items, Section

Source = Literal["default", "file", "grid", "command line"]


@dataclass(frozen=True, eq=False)
class Written:
    """What was written for one key: maybe a value, maybe a list of values to try."""

    key: str
    raw: Any
    source: Source
    where: str = ""  # "file:line: " or nothing

    @property
    def is_text(self) -> bool:
        """Say whether it comes from a command line and is read generously."""
        return self.source == "command line"


@dataclass(frozen=True, eq=False)
class Cell:
    """A key set to one value in one config; the value is decoded by the type that the key has there."""

    written: Written
    key: str
    raw: Any

    def decode(self, leaf: Leaf) -> Any:
        """Give the value as the type of `leaf`, or raise BadValue."""
        return decode(leaf, self.raw, is_text=self.written.is_text)


Choice = dict[str, Cell]  # what one value of a dimension sets: one key, or several of a block


def written_mapping(mapping: Mapping[str, Any], source: Source, *, file: str = "", prefix: str = "") -> list[Written]:
    """List the keys of a mapping with their lines, if the mapping comes from a file."""
    lines = mapping.lines if file and isinstance(mapping, Section) else {}
    return [
        Written(f"{prefix}{key}", raw, source, f"{file}:{lines[key]}: " if key in lines else "")
        for key, raw in mapping.items()
    ]


def read_dimension(schema: Schema, written: Written, problems: list[str]) -> list[Choice]:
    """Split what was written for a key into its choices; problems are added to the list, bad choices left out."""
    block = schema.block(written.key)
    if block is not None:
        return _read_block_dimension(schema, block, written, problems)
    leaves = schema.leaves(written.key)
    if not leaves:
        problems.append(written.where + explain_unknown(schema, written.key))
        return []
    try:
        values = read_values(written.key, leaves, written.raw, is_text=written.is_text)
    except BadValue as bad:
        lines = written.raw.lines if isinstance(written.raw, Items) else []
        problems.extend(f"{_item_where(written, lines, text)}'{written.key}': {text}" for text in bad.args)
        return []
    return [{written.key: Cell(written, written.key, raw)} for raw in values]


def read_single(schema: Schema, written: Written, problems: list[str], *, hint: str = "") -> Choice:
    """Read one value for a key, where no sweep is possible (`base`, a stored config, `replace`)."""
    block = schema.block(written.key)
    if block is not None:
        return _read_single_block(schema, block, written, problems, hint)
    leaves = schema.leaves(written.key)
    if not leaves:
        problems.append(written.where + explain_unknown(schema, written.key))
        return {}
    raw = written.raw
    if isinstance(raw, Several) or (isinstance(raw, list) and not fits_any(leaves, raw, is_text=written.is_text)):
        text = f"'{written.key}': {show_raw(raw)} is no {describe_type(leaves[0].bare)}{hint}"
        problems.append(written.where + text)
        return {}
    marked = Written(written.key, raw if isinstance(raw, Single) else Single(raw), written.source, written.where)
    return next(iter(read_dimension(schema, marked, problems)), {})


def _read_single_block(schema: Schema, block: Block, written: Written, problems: list[str], hint: str) -> Choice:
    if isinstance(written.raw, Several | list):
        problems.append(f"{written.where}'{written.key}': {show_raw(written.raw)} is no group of keys{hint}")
        return {}
    if not is_block_value(written.raw) or not dict(written.raw):
        return next(iter(_read_block_dimension(schema, block, written, problems)), {})
    cells: Choice = {}
    for inner in _written_below(written, written.raw):
        cells |= read_single(schema, inner, problems, hint=hint)
    return cells


def explain_unknown(schema: Schema, key: str) -> str:
    """Write the message for a key that the project does not declare."""
    parent = key
    while parent := parent.rpartition(".")[0]:
        if leaves := schema.leaves(parent):
            kind = describe_type(leaves[0].bare)
            return f"unknown key '{key}': '{parent}' holds one value ({kind}). Set it as a whole: {parent}=…"
    return unknown_key(key, schema.leaf_keys, block_keys(schema))


def block_keys(schema: Schema) -> list[str]:
    """List the keys that hold further keys."""
    return [key for key, entries in schema.entries.items() if isinstance(entries[0].node, Block)]


def _read_block_dimension(schema: Schema, block: Block, written: Written, problems: list[str]) -> list[Choice]:
    raw = written.raw.raw if isinstance(written.raw, Single) else written.raw
    if isinstance(raw, Scalar) and isinstance(raw.value, dict | list):
        raw = raw.value
    alternatives = list(raw.items) if isinstance(raw, Several) else raw if isinstance(raw, list | tuple) else [raw]
    choices = []
    for alternative in alternatives:
        if _is_null(alternative) and block.is_optional:
            choices.append({written.key: Cell(written, written.key, None)})
        elif block.is_optional and isinstance(alternative, Mapping) and not alternative:
            choices.append({written.key: Cell(written, written.key, {})})  # there, with its own defaults
        elif is_block_value(alternative):
            choices.extend(_read_block_value(schema, written, alternative, problems))
        elif _is_null(alternative):
            problems.append(f"{written.where}'{written.key}' cannot be null; it always holds its keys")
        else:
            shown = show_raw(alternative)
            problems.append(
                f"{written.where}'{written.key}': {shown} is no group of keys. "
                f"Set one of its keys, such as {written.key}.{_first_field(block)}={shown}"
            )
    return choices


def _read_block_value(schema: Schema, written: Written, raw: Any, problems: list[str]) -> list[Choice]:
    """Cross the keys below a block: `{kind: sgd, momentum: [0.8, 0.9]}` are two choices of two keys each."""
    columns = [read_dimension(schema, inner, problems) for inner in _written_below(written, raw)]
    return [{key: cell for choice in each for key, cell in choice.items()} for each in product(*columns)]


def _written_below(written: Written, raw: Any) -> Iterator[Written]:
    if isinstance(raw, BaseModel):  # its values are values, whatever they look like
        for name in type(raw).model_fields:
            inner = getattr(raw, name)
            marked = inner if isinstance(inner, BaseModel) else Single(inner)
            yield Written(f"{written.key}.{name}", marked, written.source, written.where)
        return
    lines = raw.lines if written.where and isinstance(raw, Section) else {}
    file = written.where.rsplit(":", 2)[0] if written.where else ""
    for name, inner in raw.items():
        where = f"{file}:{lines[name]}: " if name in lines else written.where
        yield Written(f"{written.key}.{name}", inner, written.source, where)


def _first_field(block: Block) -> str:
    return block.discriminator or next(iter(next(iter(block.models.values())).model_fields), "")


def _is_null(raw: Any) -> bool:
    return raw is None or (isinstance(raw, Scalar) and (raw.value is None or raw.text in ("none", "None")))


def _item_where(written: Written, lines: list[int], problem: str) -> str:
    """Point at the line of the item that a list over several lines complains about."""
    if not lines or "(item " not in problem or not written.where:
        return written.where
    number = int(problem.split("(item ", 1)[1].split(" ", 1)[0])
    return f"{written.where.rsplit(':', 2)[0]}:{lines[number - 1]}: "
