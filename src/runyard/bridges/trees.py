"""Nested values by their path, as foreign files name them."""

from typing import Any


def put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a nested value; what is in the way gives way."""
    for name in path[:-1]:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            inner = tree[name] = {}
        tree = inner
    tree[path[-1]] = value


def take_away(tree: dict[str, Any], path: tuple[str, ...]) -> None:
    """Remove a nested value, if it is there."""
    for name in path[:-1]:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.pop(path[-1], None)
