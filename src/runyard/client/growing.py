"""Points of a grid that were never asked for, made from the runs that are there.

Whoever looks at a grid has no code of the project, so a missing point is written as its neighbours are: the config of
one of them with a few values replaced by values that others have. What a project's own expansion would decide anew
(settings that change together with these, excluded combinations of other keys) is refused, not guessed. Whether the
project takes the config is checked where every stored config is: when the run starts.
"""

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from runyard.client.submission import sort_out
from runyard.config.identity import SEED, SHORT_LENGTH, Identity, canonical, hash_ids, identify_stored
from runyard.config.names import format_value, name_runs, short_keys
from runyard.errors import ConflictError, NotFound, UsageError
from runyard.hosts import host_name
from runyard.index import RunRow
from runyard.index.diff import flatten
from runyard.records import RunSpec, new_run_id

if TYPE_CHECKING:
    from runyard.client.client import Client

MOST_SIBLINGS = 5000  # the newest runs of a filter, which a point is made from
MOST_POINTS = 500
_GRID_ID_LENGTH = 16
_AT_ONCE = 500

Point = Mapping[str, Any]  # dotted keys and their values


@dataclass(frozen=True)
class Growth:
    """What it takes to fill some points: new runs, and old ones to try again; `present` run, wait or are done."""

    specs: tuple[RunSpec, ...]
    retried: tuple[str, ...]
    present: int

    @property
    def todo(self) -> int:
        """How many runs will go into the queue."""
        return len(self.specs) + len(self.retried)


@dataclass(frozen=True)
class _New:
    """A config that is wanted, and the run that it is made from."""

    config: dict[str, Any]
    identity: Identity
    template: RunRow

    @property
    def config_id(self) -> str:
        return self.identity.config_id


def plan_points(client: "Client", project: str, query: str | None, points: Sequence[Point]) -> Growth:
    """The runs that the points of a grid lack; changes nothing.

    Args:
        query: the runs that make up the grid, without the points.
        points: each names the same keys; their values are those that runs of the grid have. A list may be its JSON.

    Raises:
        UsageError: a value that no run has, settings that change together with these, or nothing to start from.
        ConflictError: the identity of the stored configs cannot be told without the project's code.
    """
    if not 1 <= len(points) <= MOST_POINTS:
        raise UsageError(f"{len(points):,} points were named; one question takes 1 to {MOST_POINTS:,}.")
    rows = client.index.find(query, project=project, limit=MOST_SIBLINGS)
    rows = [row for row in rows if row.kind == "train" and row.config]
    if not rows:
        raise UsageError(
            "There is no run that a new point could be made from: none of the filter was started by run.py."
        )
    newest = rows[0]
    axes = list(points[0])
    if not axes or SEED in axes or any(set(point) != set(axes) for point in points):
        raise UsageError("Points name one or more settings, all the same, and not the seed.")
    grid = _Siblings([row for row in rows if row.data == newest.data], axes)
    source = client.spec(newest.id)
    if identify_stored(newest.config, source.uncounted).config_id != newest.config_id:
        raise ConflictError(
            f"Run {newest.id} does not say which of its settings decide what is the same run. "
            "Queue the missing points with `python run.py train … --queue`."
        )
    wanted = {new.config_id: new for point in points for new in grid.fill(point, source.uncounted)}
    new = list(wanted.values())
    known = [row for row in _with_configs(client, project, list(wanted)) if row.data == newest.data]
    found = sort_out(new, known, code_id=source.code.code_id, retry=True)
    missing = [new[place] for place in found.missing]
    return Growth(
        specs=tuple(_specs(client, grid.rows, missing, source, axes)),
        retried=tuple(found.retried.values()),
        present=len(found.finished) + len(found.waiting),
    )


def grow(client: "Client", growth: Growth) -> list[str]:
    """Put into the queue what was planned; return the ids of all runs that were."""
    if growth.specs:
        client.submit(growth.specs)
    for run_id in growth.retried:
        client.retry(run_id)
    return [*(spec.id for spec in growth.specs), *growth.retried]


class _Siblings:
    """The runs of a grid, and which of their settings go together. All points name the same axes.

    Args:
        rows: the newest first.
    """

    def __init__(self, rows: Sequence[RunRow], axes: Sequence[str]) -> None:
        self.rows = rows
        self._axes = axes
        self._flat = [flatten(row.config) for row in rows]
        self._values: dict[tuple[str, str], Any] = {}  # of the axes, as runs hold them
        self._lines: dict[tuple[str, str], dict[str, list[int]]] = {}  # axis and value -> the rest -> places in rows
        for place, flat in enumerate(self._flat):
            self._enter(place, flat)

    def fill(self, point: Point, uncounted: Collection[str]) -> list[_New]:
        """The configs of one point: one for each seed and each combination of the other settings.

        A combination is taken if it stands in the same row and in the same column of the grid, so that nothing is
        mixed that the project's grid would not.
        """
        names = {key: self._name(key, wanted) for key, wanted in point.items()}
        values = {key: self._values[key, name] for key, name in names.items()}
        lines = [self._lines[key, name] for key, name in names.items()]
        common = [rest for rest in lines[0] if all(rest in line for line in lines)]
        if not common:
            raise UsageError(
                f"{_written(point)}: no neighbour in the grid differs in these settings alone, since others change "
                "together with them. Queue it with `python run.py train … --queue`."
            )
        found = []
        for rest in common:
            neighbours = [place for line in lines for place in line[rest]]
            template = self.rows[min(neighbours)]
            for seed in self._seeds(neighbours):
                config = copy.deepcopy(template.config)
                for key, value in (values | seed).items():
                    _put(config, key, value)
                found.append(_New(config, identify_stored(config, uncounted), template))
        return found

    def _enter(self, place: int, flat: Mapping[str, Any]) -> None:
        if not all(axis in flat for axis in self._axes):
            return
        rest = _text({name: value for name, value in flat.items() if name not in self._axes and name != SEED})
        for axis in self._axes:
            name = _text(flat[axis])
            self._values.setdefault((axis, name), flat[axis])
            self._lines.setdefault((axis, name), {}).setdefault(rest, []).append(place)

    def _name(self, axis: str, wanted: Any) -> str:
        """The value as it is compared; a list may also be given as its JSON, as the tables show it."""
        for name in (_text(wanted), _text(_decoded(wanted))):
            if (axis, name) in self._lines:
                return name
        raise UsageError(
            f"No run of the filter has {_written({axis: wanted})}; a point is made of values that runs have."
        )

    def _seeds(self, neighbours: Sequence[int]) -> list[dict[str, Any]]:
        """The seeds that at least half of the neighbouring points have; one nothing if there are no seeds."""
        by_point: dict[str, set[Any]] = {}
        for place in neighbours:
            flat = self._flat[place]
            by_point.setdefault(_text([flat[axis] for axis in self._axes]), set()).add(flat.get(SEED))
        counted: dict[Any, int] = {}
        for seeds in by_point.values():
            for seed in seeds:
                counted[seed] = counted.get(seed, 0) + 1
        usual = [seed for seed, n in counted.items() if 2 * n >= len(by_point)]
        if usual == [None]:
            return [{}]
        return [{SEED: seed} for seed in sorted(seed for seed in usual if seed is not None)]


def _with_configs(client: "Client", project: str, config_ids: Sequence[str]) -> list[RunRow]:
    found: list[RunRow] = []
    for start in range(0, len(config_ids), _AT_ONCE):
        ids = msgspec.json.encode(config_ids[start : start + _AT_ONCE]).decode()
        found += client.index.find(f"config_id in {ids}", project=project, limit=None)
    return found


def _specs(
    client: "Client", rows: Sequence[RunRow], missing: Sequence[_New], source: RunSpec, axes: Sequence[str]
) -> list[RunSpec]:
    """What `run.py train` would have asked for, had the grid been larger from the start."""
    if not missing:
        return []
    plan = _plan_of(client, rows, source)
    names = _names(plan, missing)
    grid = hash_ids([*(row.config_id for row in plan), *(new.config_id for new in missing)])[:_GRID_ID_LENGTH]
    defaults = _defaults(rows, (*axes, SEED))
    now = datetime.now(UTC)
    return [
        msgspec.structs.replace(
            source,
            id=new_run_id(),
            name=name,
            created_at=now + timedelta(microseconds=position),
            grid=grid,
            config=new.config,
            config_id=new.identity.config_id,
            group=new.identity.group,
            changed=_changed(new, defaults),
            seed=new.config.get(SEED),
            user=client.by,
            host=host_name(),
            command=(),
            is_queued=True,
        )
        for position, (new, name) in enumerate(zip(missing, names, strict=True))
    ]


def _plan_of(client: "Client", rows: Sequence[RunRow], source: RunSpec) -> list[RunRow]:
    """All runs of the grids that the new points belong to, whatever the filter shows of them."""
    ours = [row for row in rows if row.experiment == source.experiment]
    grids = msgspec.json.encode(sorted({row.grid for row in ours if row.grid})).decode()
    whole = client.index.find(f"grid in {grids}", project=source.project, limit=MOST_SIBLINGS) if grids != "[]" else []
    return list({row.id: row for row in (*whole, *ours) if row.experiment == source.experiment}.values())


def _names(plan: Sequence[RunRow], missing: Sequence[_New]) -> list[str]:
    """Names as the whole plan would have given them, keys in the order of the other names."""
    flat = [flatten(config) for config in (*(row.config for row in plan), *(new.config for new in missing))]
    every = dict.fromkeys(key for each in flat for key in each)
    varying = [key for key in every if _varies([each.get(key) for each in flat]) and key != SEED]
    order = _order_in(plan, varying)
    shows_seed = len({each.get(SEED) for each in flat}) > 1 or any(SEED in new.template.changed for new in missing)
    ids = [*(row.config_id for row in plan), *(new.config_id for new in missing)]
    names = name_runs(
        [{key: each[key] for key in order if key in each} for each in flat],
        [each[:SHORT_LENGTH] for each in ids],
        [each.get(SEED) if shows_seed else None for each in flat],
    )
    return names[len(plan) :]


def _order_in(plan: Sequence[RunRow], varying: Sequence[str]) -> list[str]:
    """The keys in the order in which a name shows all of them; else in that of the config."""
    short = short_keys(varying)
    for row in plan:
        flat, body = flatten(row.config), f",{row.name.partition('/')[0]},"
        places = {key: body.find(f",{short[key]}={format_value(flat.get(key))},") for key in varying}
        if min(places.values(), default=0) >= 0:
            return sorted(varying, key=lambda key: places[key])
    return list(varying)


def _varies(values: Sequence[Any]) -> bool:
    first = values[0]
    return any(value != first or isinstance(value, bool) != isinstance(first, bool) for value in values)


def _defaults(rows: Sequence[RunRow], keys: Iterable[str]) -> dict[str, str]:
    """The project's default of settings, as far as runs tell: what a run has without listing it as changed."""
    found: dict[str, str] = {}
    wanted = set(keys)
    for row in rows:
        if not wanted:
            break
        flat = flatten(row.config)
        for key in [key for key in wanted if key in flat and key not in row.changed]:
            found[key] = _text(flat[key])
            wanted.discard(key)
    return found


def _changed(new: _New, defaults: Mapping[str, str]) -> dict[str, Any]:
    """What differs from the project's default."""
    flat, old = flatten(new.config), flatten(new.template.config)
    changed = dict(new.template.changed)
    for key, value in flat.items():
        if _text(value) != _text(old.get(key)):
            changed.pop(key, None)
            if defaults.get(key) != _text(value):
                changed[key] = value
    return changed


def _decoded(value: Any) -> Any:
    try:
        return msgspec.json.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError:
        return value


def _text(value: Any) -> str:
    """Equal for equal settings: 1 and 1.0 are one number, 1 and True are two settings."""
    return msgspec.json.encode(canonical(value), order="sorted").decode()


def _put(config: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for name in path:
        inner = config.get(name)
        if not isinstance(inner, dict):
            raise NotFound(f"The config has no setting '{key}'.")
        config = inner
    if last not in config:
        raise NotFound(f"The config has no setting '{key}'.")
    config[last] = value


def _written(point: Point) -> str:
    return ", ".join(f"{key[:80]}={format_value(value)[:80]}" for key, value in point.items())
