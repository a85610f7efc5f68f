"""The list rule: is `[64, 64]` one value or two?

A list is one value if it fits the field, several values if it does not but each of its items does.
If both fit, it is refused; `sweep([...])` and `value([...])` always decide.
"""

from collections.abc import Callable
from typing import Any, get_args, get_origin

from runyard.config.decoding import BadValue, decode, fits, plain_python
from runyard.config.scalars import Scalar, Several, Single, read_scalar, show_raw
from runyard.config.schema import Leaf
from runyard.config.typenames import describe_type


def read_values(key: str, leaves: list[Leaf], raw: Any, *, is_text: bool) -> list[Any]:
    """Split what was written for a key into the values to try.

    Args:
        key: for the hint in a message.
        leaves: the types that the key can have, one per kind of its block.
        raw: as written.
        is_text: it comes from a command line.

    Returns:
        One raw value for each config; each fits at least one of the types.

    Raises:
        BadValue: it fits neither way, or both ways.
    """
    if isinstance(raw, Single):
        _require(key, leaves, raw, is_text=is_text)
        return [raw]
    if isinstance(raw, Several):
        return _several(leaves, list(raw.items), is_text=is_text)
    raw = plain_python(raw)
    if isinstance(raw, tuple):
        raw = list(raw)
    if not isinstance(raw, list):
        _require(key, leaves, raw, is_text=is_text)
        return [raw]
    return _decide(leaves, raw, is_text=is_text)


def fits_any(leaves: list[Leaf], raw: Any, *, is_text: bool) -> bool:
    """Say whether a value fits the key under at least one kind."""
    return any(fits(leaf, raw, is_text=is_text) for leaf in leaves)


def _decide(leaves: list[Leaf], items: list[Any], *, is_text: bool) -> list[Any]:
    is_one = fits_any(leaves, items, is_text=is_text)
    if not items:
        if is_one:
            return [items]
        raise BadValue(f"the list is empty; a {describe_type(leaves[0].bare)} is wanted")
    is_several = all(fits_any(leaves, item, is_text=is_text) for item in items)
    if is_one and (is_several or any(_holds_anything(leaf) for leaf in leaves)):
        shown = show_raw(items)
        count = f"{len(items)} values" if len(items) > 1 else "the value in it"
        raise BadValue(
            f"{shown} can be one value or {count} ({describe_type(leaves[0].bare)}). "
            f"Write sweep({shown}) or value({shown})"
        )
    if is_one:
        return [items]
    return _several(leaves, items, is_text=is_text)


def _several(leaves: list[Leaf], items: list[Any], *, is_text: bool) -> list[Any]:
    if not items:
        raise BadValue(f"the list is empty; a {describe_type(leaves[0].bare)} is wanted")
    items = [plain_python(item) for item in items]
    problems = []
    for number, item in enumerate(items, 1):
        try:
            _first_fit(leaves, item, is_text=is_text)
        except BadValue as problem:
            problems.append(_numbered(str(problem), item, number, len(items)))
    if len(problems) == len(items) and _is_container(leaves[0]) and not any(isinstance(i, list) for i in items):
        raise BadValue(f"{show_raw(items)} is no {describe_type(leaves[0].bare)}")
    if problems:
        raise BadValue(*problems)
    return items


def _require(key: str, leaves: list[Leaf], raw: Any, *, is_text: bool) -> None:
    try:
        _first_fit(leaves, raw, is_text=is_text)
    except BadValue as problem:
        hint = _comma_hint(key, raw, lambda written: fits_any(leaves, written, is_text=True)) if is_text else ""
        raise BadValue(f"{problem}{hint}") from None


def _first_fit(leaves: list[Leaf], raw: Any, *, is_text: bool) -> None:
    first: BadValue | None = None
    for leaf in leaves:
        try:
            decode(leaf, raw, is_text=is_text)
        except BadValue as problem:
            first = first or problem
        else:
            return
    if first:
        raise first


def _numbered(problem: str, item: Any, number: int, count: int) -> str:
    shown = show_raw(item)
    return f"{shown} (item {number} of {count}){problem[len(shown) :]}" if count > 1 else problem


def _comma_hint(key: str, raw: Any, is_fitting: Callable[[Any], bool]) -> str:
    """Answer `lr=1e-3,1e-2`, which other tools read as a sweep."""
    if not isinstance(raw, Scalar) or "," not in raw.text:
        return ""
    parts = [read_scalar(part.strip()) for part in raw.text.split(",")]
    if all(is_fitting(part) for part in parts):
        return f". To try several values write {key}=[{raw.text}]"
    return f". Write {key}=[{raw.text}]" if is_fitting(parts) else ""


def _holds_anything(leaf: Leaf) -> bool:
    """Say whether the items of a list field are untyped: then nothing tells a value from a list of them."""
    return _is_container(leaf) and (not get_args(leaf.bare) or get_args(leaf.bare)[0] is Any)


def _is_container(leaf: Leaf) -> bool:
    return (get_origin(leaf.bare) or leaf.bare) in (list, tuple, set, frozenset)
