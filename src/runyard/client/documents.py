"""Runs as documents: what `--json` prints and what the server answers. The keys are described in docs/cli.md."""

from typing import Any

from runyard.index import MetricSummary, RunRow


def run(row: RunRow) -> dict[str, Any]:
    """One run: nothing but what its folder says, so that two calls agree whatever the time is."""
    return head(row) | {"metrics": {key: metric(value) for key, value in sorted(row.summary.items())}}


def head(row: RunRow) -> dict[str, Any]:
    """All of a run but its metrics, of which there may be thousands."""
    return {
        "id": row.id,
        "project": row.project,
        "name": row.name,
        "experiment": row.experiment,
        "grid": row.grid,
        "parent": row.parent,
        "source": row.source,
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
