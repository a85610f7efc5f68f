"""What MLflow's clients measure of the machine stands below `system/` there, and below `sys/` here."""

import re

_MEASURED = re.compile(
    r"(?:.+/)?(?:cpu_utilization_percentage|system_memory_usage_(?:megabytes|percentage)"
    r"|disk_(?:usage_percentage|usage_megabytes|available_megabytes)|network_(?:receive|transmit)_megabytes"
    r"|gpu_\d+_(?:utilization_percentage|memory_usage_(?:megabytes|percentage)|power_usage_(?:watts|percentage)))"
)
_THEIRS, _OURS = "system/", "sys/"


def ours(key: str) -> str:
    """The name of a series here."""
    return _renamed(key, _THEIRS, _OURS)


def theirs(key: str) -> str:
    """The name of a series there."""
    return _renamed(key, _OURS, _THEIRS)


def _renamed(key: str, before: str, after: str) -> str:
    if key.startswith(before) and _MEASURED.fullmatch(key, len(before)):
        return after + key[len(before) :]
    return key
