"""Names of Sacred as names of ours: of series, files and tags."""

import re
from collections.abc import Mapping
from typing import Any

from runyard.tracking.values import MAX_NAME_LENGTH

OUTPUT_KEY = "output"  # of the texts in which an observed run keeps what it printed

_LONGEST_TAG = 200


def series_name(text: str) -> str:
    """The name of a series: what cannot be in one becomes a space; empty if nothing is left."""
    return "".join(each if each.isprintable() else " " for each in text).strip()[:MAX_NAME_LENGTH]


def file_name(text: str) -> str:
    """A relative path with `/` that leads nowhere else; `a/../b`, `/etc/x` and `C:\\x` lose what would."""
    clean = "".join(each if each.isprintable() else " " for each in text.replace("\\", "/"))
    parts = [part.strip() for part in clean.split("/")]
    kept = [re.sub(r"^[A-Za-z]:$", "", part) for part in parts if part not in ("", ".", "..")]
    return "/".join(part for part in kept if part)[-MAX_NAME_LENGTH:].lstrip("/") or "unnamed"


def numbered(name: str, count: int) -> str:
    """The name of the `count`th file of a name: `loss.png`, then `loss.2.png`."""
    if count == 1:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{count}.{suffix}" if dot and stem else f"{name}.{count}"


def tags_in(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags that Omniboard falls back on: `config.tags`, where that is a list of texts."""
    return tags_of(config.get("tags"))


def tags_of(given: Any) -> tuple[str, ...]:
    """The texts of a list that can be tags, each once."""
    if not isinstance(given, list | tuple):
        return ()
    clean = (series_name(each)[:_LONGEST_TAG] for each in given if isinstance(each, str))
    return tuple(dict.fromkeys(tag for tag in clean if tag))
