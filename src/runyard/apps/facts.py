"""What is said of a run beside its predictions: what it was configured with, how it went, where it comes from.

It is one JSON document, so that a page and a report can be made where the run's home is not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from runyard.client.runs import TrackedRun, data_seen
from runyard.errors import FormatUnknown, NotFound, ServiceError
from runyard.index.diff import flatten
from runyard.tracking.predictions import Predictions

FILE = "facts.json"
FORMAT = 1
_MOST_POINTS = 400  # of a curve: more than a page is wide
_OF_THE_HOST = ("sys/", "host/", "gpu/")


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric in a few numbers, None where there is nothing finite; `goal` is "max", "min" or empty."""

    last: float | None
    best: float | None = None
    best_step: int | None = None
    goal: str = ""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A series, thinned evenly to at most 400 finite points."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as a customer is told of it.

    Attributes:
        config: dotted keys and their values as text; `changed` are those that differ from the project's default.
        metrics: the declared ones first.
        code, environment: names and texts to be shown one below the other.
        packages: versions by name.
        data: what the run's data were called: a path, or empty.
        data_versions: fingerprint of what the run found at each path of data, by what names the path.
        data_sizes: how many files, and how many bytes, that were.
    """

    format: int = FORMAT
    id: str
    name: str
    project: str
    experiment: str = ""
    state: str = ""
    created_at: datetime
    ended_at: datetime | None = None
    duration_s: float | None = None
    user: str = ""
    host: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    data: str = ""
    data_versions: dict[str, str] = {}
    data_sizes: dict[str, tuple[int, int]] = {}
    config: dict[str, str] = {}
    changed: tuple[str, ...] = ()
    metrics: dict[str, Metric] = {}
    curves: dict[str, Curve] = {}
    code: dict[str, str] = {}
    environment: dict[str, str] = {}
    packages: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A run that is shown: what is known of it, its answers if it kept them, its model if it is at hand."""

    facts: Facts
    predictions: Predictions | None = None
    model: Path | None = None  # a folder that `run.save_model` has written


def facts_of(run: TrackedRun, goals: Mapping[str, str]) -> Facts:
    """Collect the facts; `goals` are the metrics to judge by, each "max" or "min", the most important first."""
    row = run.row
    attempts = run.attempts
    environment = next((each.environment for each in reversed(attempts) if each.environment), None)
    sources = data_seen(attempts)
    names = [key for key in goals if key in row.summary]
    names += [key for key in row.summary if key not in goals and not key.startswith(_OF_THE_HOST)]
    code = {
        "commit": row.code.commit or "",
        "changes": "uncommitted" if row.code.is_dirty else "",
        "branch": row.code.branch or "",
        "snapshot": (row.code.snapshot or "")[:12],
    }
    around = {
        "python": environment.python.partition(" ")[0] if environment else "",
        "platform": environment.platform if environment else "",
        "cpu": environment.cpu if environment else "",
        "gpus": ", ".join(environment.gpus or row.device_names) if environment else ", ".join(row.device_names),
        "driver": environment.driver if environment else "",
    }
    return Facts(
        id=row.id,
        name=row.name,
        project=row.project,
        experiment=row.experiment or "",
        state=str(row.state),
        created_at=row.created_at,
        ended_at=row.ended_at,
        duration_s=row.duration_s,
        user=row.user,
        host=row.host,
        tags=row.tags,
        note=row.note,
        data=row.data or "",
        data_versions={source.key: source.version for source in sources},
        data_sizes={source.key: (source.files, source.size_bytes) for source in sources},
        config={key: _text(value) for key, value in flatten(row.config).items()},
        changed=tuple(row.changed),
        metrics={key: _metric(run, key, goals.get(key, "")) for key in names},
        curves={key: curve for key in names if (curve := _curve(run, key))},
        code={key: value for key, value in code.items() if value},
        environment={key: value for key, value in around.items() if value},
        packages=dict(sorted(environment.packages.items())) if environment else {},
    )


def write_facts(facts: Facts, path: Path) -> None:
    """Write the document, for people too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=2) + b"\n")


def read_facts(path: Path) -> Facts:
    """Read what `write_facts` wrote.

    Raises:
        NotFound: it is not there.
        FormatUnknown: another version of Runyard wrote it.
        ServiceError: it is no such document.
    """
    try:
        facts = msgspec.json.decode(path.read_bytes(), type=Facts)
    except FileNotFoundError:
        raise NotFound(f"There is no {path}.") from None
    except msgspec.DecodeError as problem:
        raise ServiceError(f"{path} cannot be read: {problem}.") from None
    if facts.format != FORMAT:
        raise FormatUnknown(f"{path} has format {facts.format}; this Runyard knows {FORMAT}. Install a newer one.")
    return facts


def _metric(run: TrackedRun, key: str, goal: str) -> Metric:
    summary = run.row.summary[key]
    best, step = {"max": (summary.max, summary.max_step), "min": (summary.min, summary.min_step)}.get(
        goal, (None, None)
    )
    return Metric(last=_finite(summary.last), best=_finite(best), best_step=step, goal=goal)


def _curve(run: TrackedRun, key: str) -> Curve | None:
    """None for a single point: that is a number, and no curve."""
    series = run.series(key)
    is_finite = np.isfinite(series.values)
    steps, values = series.steps[is_finite], series.values[is_finite]
    if len(steps) < 2:
        return None
    if len(steps) > _MOST_POINTS:
        kept = np.linspace(0, len(steps) - 1, _MOST_POINTS).round().astype(np.intp)
        steps, values = steps[kept], values[kept]
    return Curve(steps=tuple(steps.tolist()), values=tuple(values.tolist()))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
