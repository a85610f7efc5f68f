"""Which settings of a run name data."""

from collections.abc import Mapping, Sequence
from typing import Any

from runyard.config.nested import value_at

DATA_OPTION = "--data"  # in place of a config key: the path that replaces all those of the config


def named_paths(config: Mapping[str, Any], keys: Sequence[str], data: str | None) -> list[tuple[str, str]]:
    """What names data, and the paths as they are written; `data` replaces all those of the config."""
    if data is not None:
        return [(DATA_OPTION, data)]
    found = [(key, value_at(config, key)) for key in keys]
    return [(key, path) for key, path in found if isinstance(path, str)]
