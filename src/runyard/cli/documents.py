"""The JSON that `--json` prints. Its keys are stable and documented in docs/cli.md.

It is ASCII, so that no text of a user reaches a terminal as it is, and strict: the numbers that JSON
lacks are the texts "NaN", "Infinity" and "-Infinity".
"""

import json
import math
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from runyard.client.documents import metric, progress, run

if TYPE_CHECKING:
    from runyard.index.series import Series

__all__ = ["metric", "progress", "run", "series", "write"]


def write(document: Any) -> None:  # anything JSON-like
    """Print a document."""
    # indented by msgspec: with `indent` the json of the standard library is thirty times slower
    text = json.dumps(_strict(document), ensure_ascii=True, allow_nan=False)
    sys.stdout.write(msgspec.json.format(text, indent=2) + "\n")


def series(run_id: str, key: str, points: "Series") -> dict[str, Any]:
    """All points of one metric of one run; times in nanoseconds since 1970, UTC."""
    return {
        "id": run_id,
        "key": key,
        "steps": points.steps.tolist(),
        "values": points.values.tolist(),
        "times_ns": points.times.tolist(),
    }


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
