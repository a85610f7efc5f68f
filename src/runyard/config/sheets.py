"""How configs, sweeps and plans show themselves in a notebook."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from runyard.config.identity import plain
from runyard.config.scalars import Several
from runyard.config.schema import flatten
from runyard.drawing import paragraph, table

MOST_RUNS = 20
_KEYS = 8  # columns of a plan
_VALUES = 12  # of a dimension
_SETTINGS = 200  # of a config: the whole of all but the largest


def of_config(config: BaseModel) -> str:
    """Dotted keys and their values."""
    flat = [(key, plain(value)) for key, value in flatten(config)]
    parts = [flat[start : start + MOST_RUNS] for start in range(0, min(len(flat), _SETTINGS), MOST_RUNS)]
    left = len(flat) - sum(map(len, parts))
    tables = [table((), part) for part in parts]
    style = "display:inline-block;vertical-align:top;margin-right:16px"  # long configs in columns
    return (
        paragraph(type(config).__name__, is_strong=True)
        + "".join(f'<div style="{style}">{each}</div>' for each in tables)
        + (paragraph(f"… and {left:,} more settings") if left else "")
    )


def of_planned_run(name: str, run_id: str, changed: Mapping[str, Any]) -> str:
    """What a run of a plan would be."""
    return paragraph(f"{name} ({run_id})", is_strong=True) + table(["changed setting", "value"], list(changed.items()))


def of_plan(
    first: Sequence[tuple[str, str, Mapping[str, Any]]], *, count: int, groups: int, notes: Sequence[str]
) -> str:
    """How many runs, and the first of them: name, id, and the settings that are not the default in all."""
    keys = list(dict.fromkeys(key for _, _, settings in first for key in settings))[:_KEYS]
    rows = [[name, run_id, *(settings.get(key, "") for key in keys)] for name, run_id, settings in first]
    title = paragraph(f"{count:,} run{'s' * (count != 1)} in {groups:,} group{'s' * (groups != 1)}", is_strong=True)
    told = "".join(paragraph(f"note: {note}") for note in notes)
    return title + table(["name", "id", *keys], rows, left=count - len(rows), what="runs") + told


def of_sweep(kinds: Sequence[str], dimensions: Iterable[tuple[str, Any]]) -> str:
    """The keys of a sweep with what they are to be; kinds are the declarations it is made of, the outermost first."""
    rows = [[key, _values(raw)] for key, raw in dimensions]
    title = " of ".join(kinds[:4]) + (" …" if len(kinds) > 4 else "")
    return paragraph(title, is_strong=True) + table((), rows, what="keys")


def of_differences(rows: Sequence[tuple[str, Sequence[Any]]], *, n_keys: int) -> str:
    """The keys in which configs differ, a column for each config."""
    title = paragraph(f"{len(rows):,} of {n_keys:,} keys differ")
    return title + (table((), [[key, *values] for key, values in rows], what="keys") if rows else "")


def _values(raw: Any) -> str:
    """One value, or several; anything may be written in a sweep."""
    if isinstance(raw, Several):
        raw = raw.items
    if not isinstance(raw, list | tuple):
        return str(raw)
    shown = ", ".join(map(str, raw[:_VALUES]))
    return f"{shown}, … and {len(raw) - _VALUES:,} more" if len(raw) > _VALUES else shown
