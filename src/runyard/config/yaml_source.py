"""YAML 1.2 with positions: every key knows its line, every plain scalar its text.

ruamel.yaml composes the node graph; nodes become `Section` (a mapping), lists and scalars here,
because its own constructors decide the type of a scalar before the field's type is known.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runyard.config.scalars import Scalar, Several, Single, read_scalar
from runyard.errors import ConfigError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node


class Section(dict[str, Any]):
    """A mapping that knows the line of each of its keys (from 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}
        self.line = 0
        self.file = ""  # only if it is not the file that is being read


class Items(list[Any]):
    """A list that knows the line of each of its items (from 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


def read_yaml_file(path: Path, *, shown_as: str) -> Any:
    """Read a YAML or JSON file; None if it is empty.

    Raises:
        ConfigError: the file cannot be read or is no YAML; with `shown_as` and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"{shown_as} cannot be read: {reason}") from None
    return read_yaml_text(text, shown_as=shown_as)


def read_yaml_text(text: str, *, shown_as: str) -> Any:
    """Read one YAML document from a text; None if it is empty."""
    from ruamel.yaml import YAML  # late, as below: a training reads no YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{shown_as}:{line}: this is no YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise ConfigError(f"{shown_as}: this is no YAML: {str(error).splitlines()[0]}") from None
    if node is None:
        return None
    problems: list[str] = []
    tree = _convert(node, shown_as, problems)
    if problems:
        raise ConfigError(problems)
    return tree


def parse_text(text: str) -> Any:
    """Read the value of a `key=value` token: a list or mapping in YAML's flow style, a marked value, or a scalar."""
    stripped = text.strip()
    for mark in ("sweep", "value"):
        for opening, closing in ((f"!{mark} ", ""), (f"{mark}(", ")")):
            if stripped.startswith(opening) and stripped.endswith(closing):
                return _mark(mark, stripped[len(opening) : len(stripped) - len(closing)].strip())
    return _flow(stripped) if stripped[:1] + stripped[-1:] in ("[]", "{}") else read_scalar(text)


def _mark(mark: str, inner: str) -> Any:
    if mark == "sweep" and not inner:
        return Several(())
    raw = _flow(inner) if inner[:1] + inner[-1:] in ("[]", "{}") else read_scalar(inner)
    if mark == "value":
        return Single(raw if isinstance(raw, Scalar) else Scalar(inner, raw))
    return Several(tuple(raw) if isinstance(raw, list) else (raw,))


def _flow(text: str) -> Any:
    try:
        return read_yaml_text(text, shown_as="")
    except ConfigError:
        return read_scalar(text)  # no list after all, such as a pattern '[a-z]*]': the field's type decides


def _convert(node: "Node", shown_as: str, problems: list[str]) -> Any:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    raw: Any
    if isinstance(node, ScalarNode):
        raw = str(node.value) if node.style in ("'", '"', "|", ">") else read_scalar(str(node.value))
    elif isinstance(node, SequenceNode):
        raw = Items()
        for child in node.value:
            raw.append(_convert(child, shown_as, problems))
            raw.lines.append(child.start_mark.line + 1)
    else:
        assert isinstance(node, MappingNode)  # a YAML graph has three kinds of nodes
        raw = _convert_mapping(node, shown_as, problems)
    if str(node.tag) == "!value":
        return Single(raw)
    if str(node.tag) == "!sweep":
        return Several(tuple(raw) if isinstance(raw, list) else (raw,))
    return raw


def _convert_mapping(node: "MappingNode", shown_as: str, problems: list[str]) -> Section:
    section = Section()
    section.line = node.start_mark.line + 1
    for key, line, child in _pairs(node):
        if key in section:
            problems.append(f"{shown_as}:{line}: '{key}' is written twice; it is already in line {section.lines[key]}")
            continue
        section[key] = _convert(child, shown_as, problems)
        section.lines[key] = line
    return section


def _pairs(node: "MappingNode") -> "Iterator[tuple[str, int, Node]]":
    for key_node, child in node.value:
        yield str(key_node.value), key_node.start_mark.line + 1, child
