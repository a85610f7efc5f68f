"""How runs show themselves in a notebook."""

from collections.abc import Sequence
from datetime import datetime

from runyard.drawing import facts, paragraph, table
from runyard.index import RunRow
from runyard.index.diff import config_diff

_ROWS = 20
_SETTINGS = 4  # columns of the table: those that differ, then the metrics that most runs have
_METRICS = 3
_OF_A_RUN = 16  # settings, and metrics, of a single run
_OF_THE_HOST = ("sys/", "host/", "gpu/")  # what supervisors measure; there is always more of it than of anything else


def of_runs(rows: Sequence[RunRow]) -> str:
    """A table of the first runs: what tells them apart, and how they did."""
    if not rows:
        return paragraph("No runs.")
    shown = rows[:_ROWS]
    settings = config_diff({row.id: row.config for row in shown})
    keys = list(settings)[:_SETTINGS]
    metrics = _common_metrics(shown)
    head = ["id", "name", "state", "started", "duration", *keys, *metrics]
    body = [
        [
            row.id,
            row.name,
            f"{row.state} {row.reason}".strip()[:60],
            _moment(row.started_at),
            _duration(row.duration_s),
            *(settings[key][row.id] for key in keys),
            *(row.summary[key].last if key in row.summary else "" for key in metrics),
        ]
        for row in shown
    ]
    return table(head, body, left=len(rows) - len(shown), what="runs")


def of_run(row: RunRow) -> str:
    """What there is to know of one run at a glance."""
    told: dict[str, object] = {
        "state": f"{row.state} {row.reason}".strip(),
        "created": _moment(row.created_at),
        "duration": _duration(row.duration_s),
        "tags": ", ".join(row.tags),
        "note": row.note,
    }
    changed = dict(list(row.changed.items())[:_OF_A_RUN])
    own = [key for key in row.summary if not key.startswith(_OF_THE_HOST)]
    parts = [facts(f"{row.name} ({row.id}) of {row.project}", told)]
    if changed:
        left = len(row.changed) - len(changed)
        parts.append(table(["changed setting", "value"], list(changed.items()), left=left, what="settings"))
    if own:
        numbers = [(key, row.summary[key]) for key in own[:_OF_A_RUN]]
        body = [
            [key, *("" if value is None else value for value in (found.last, found.min, found.max))]
            for key, found in numbers
        ]
        parts.append(table(["metric", "last", "min", "max"], body, left=len(own) - len(numbers), what="metrics"))
    return "".join(parts)


def _common_metrics(rows: Sequence[RunRow]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        for key in row.summary:
            if not key.startswith(_OF_THE_HOST):
                counts[key] = counts.get(key, 0) + 1
    return sorted(counts, key=lambda key: (-counts[key], key))[:_METRICS]


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
