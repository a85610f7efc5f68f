"""Colours and sizes, taken from the dashboard's tokens, so that all that we draw looks alike."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

_TOKENS = Path(__file__).parents[1] / "dashboard" / "styles" / "tokens.css"
Palette = Callable[[str], str]  # the name of a token -> a colour

_ON_ANY_GROUND = {"line": "rgb(128 128 128 / 25%)", "line-2": "rgb(128 128 128 / 60%)", "panel": "none"}
_LIGHT = re.compile(r":root\s*{(.*?)}", re.DOTALL)


@cache
def tokens_css() -> str:
    """The declarations of the light theme, as CSS of `:root`."""
    found = _LIGHT.search(_TOKENS.read_text(encoding="utf-8"))
    assert found, f"{_TOKENS} has no :root"
    return f":root {{{found[1]}}}"


@cache
def colour(name: str) -> str:
    """The value of a token of the light theme: `colour("accent")`."""
    found = re.search(rf"--{re.escape(name)}:\s*([^;]+);", tokens_css())
    assert found, f"there is no token --{name}"
    return found[1].strip()


def on_any_ground(name: str) -> str:
    """The same for a picture of which nobody knows whether light or dark lies below it, as in a notebook."""
    if name.startswith("ink"):
        return "currentColor"
    return _ON_ANY_GROUND.get(name) or colour(name)
