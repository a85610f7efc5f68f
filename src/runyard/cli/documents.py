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

from runyard.index import MetricSummary, RunRow

if TYPE_CHECKING:
    from runyard.index.series import Series


def write(document: Any) -> None:  # anything JSON-like
    """Print a document."""
    # indented by msgspec: with `indent` the json of the standard library is thirty times slower
    text = json.dumps(_strict(document), ensure_ascii=True, allow_nan=False)
    sys.stdout.write(msgspec.json.format(text, indent=2) + "\n")


def run(row: RunRow) -> dict[str, Any]:
    """One run: nothing but what its folder says, so that two calls agree whatever the time is."""
    return {
        "id": row.id,
        "project": row.project,
        "name": row.name,
        "experiment": row.experiment,
        "grid": row.grid,
        "kind": row.kind,
        "state": str(row.state),
        "reason": row.reason,
        "attempt": row.attempt,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "duration_s": row.duration_s,
        "progress": progress(row),
        "user": row.user,
        "host": row.host,
        "devices": list(row.devices),
        "device_names": list(row.device_names),
        "tags": list(row.tags),
        "note": row.note,
        "seed": row.seed,
        "data": row.data,
        "config": row.config,
        "changed": row.changed,
        "config_id": row.config_id,
        "group": row.group,
        "metrics": {key: metric(value) for key, value in sorted(row.summary.items())},
        "fingerprint": row.fingerprint,
        "code": {
            "commit": row.code.commit,
            "branch": row.code.branch,
            "is_dirty": row.code.is_dirty,
            "snapshot": row.code.snapshot,
            "code_id": row.code.code_id,
        },
        "warnings": list(row.warnings),
        "is_trashed": row.trashed,
    }


def progress(row: RunRow) -> dict[str, Any] | None:
    """How far the latest attempt is; `remaining_s` counts from `at`."""
    if row.progress is None:
        return None
    return {
        "done": row.progress.done,
        "total": row.progress.total,
        "label": row.progress.label,
        "at": row.progress.last_at,
        "remaining_s": row.progress.remaining_s,
    }


def metric(summary: MetricSummary) -> dict[str, Any]:
    """A metric's last, lowest and highest value and their steps."""
    names = ("last", "last_step", "min", "min_step", "max", "max_step", "count")
    return {name: getattr(summary, name) for name in names}


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
