"""Comparing configs: which settings differ between runs."""

from collections.abc import Mapping
from typing import Any

MISSING = None  # a run without the key shows nothing in its place


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys and their values; lists stay whole, empty sections vanish."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def config_diff(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The dotted keys whose values differ, each with the value of every run.

    Args:
        configs: the config of each run, by its id.

    Returns:
        key -> run id -> value; None where a run lacks the key. Keys in the order of their first appearance.
    """
    flat = {run_id: flatten(config) for run_id, config in configs.items()}
    keys = list(dict.fromkeys(key for settings in flat.values() for key in settings))
    table = {key: {run_id: settings.get(key, MISSING) for run_id, settings in flat.items()} for key in keys}
    lacking = {key for key in keys if any(key not in settings for settings in flat.values())}
    return {key: row for key, row in table.items() if key in lacking or not _all_equal(list(row.values()))}


def _all_equal(values: list[Any]) -> bool:
    """Whether all are equal and of one kind: 1 and True are different settings, 1 and 1.0 are not."""
    first = values[0]
    return all(value == first and isinstance(value, bool) == isinstance(first, bool) for value in values)
