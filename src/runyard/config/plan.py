"""A plan: the configs that a sweep expands to, each with name, id and group, all checked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from pydantic import BaseModel

from runyard.config import sheets
from runyard.config.building import Builder
from runyard.config.cells import Cell, Choice, Source, Written, read_dimension, read_single, written_mapping
from runyard.config.expansion import Expansion, Row, TooMany
from runyard.config.identity import SEED, Identity, hash_ids, identify, plain
from runyard.config.names import name_runs
from runyard.config.overrides import read_command_line
from runyard.config.plain_defaults import as_config
from runyard.config.preview import Preview, PreviewLine, format_lines
from runyard.config.schema import flatten
from runyard.config.sweeps import Sweep, as_sweep
from runyard.errors import ConfigError

RUNS_WITHOUT_YES = 200
RUNS_WITHOUT_MAX = 5_000
_ROWS_BEFORE_EXCLUDE = 20  # times the limit: a grid may be this much larger before its excludes
_MOST_ROWS = 2_000_000  # what fits into the memory of a small machine


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One config of a plan."""

    name: str
    identity: Identity
    config: Any  # an instance of the project's own class; typed by the project
    changed: Mapping[str, Any]  # keys that differ from the project's default, with their values as they are stored
    sources: Mapping[str, Source]  # keys that something has set, and what set them

    @property
    def id(self) -> str:
        """The first 8 digits of the config's id."""
        return self.identity.short

    @property
    def config_id(self) -> str:
        """SHA-256 of the config, 64 hex digits."""
        return self.identity.config_id

    @property
    def group(self) -> str:
        """The same without the seed: runs of one group are repeats of each other."""
        return self.identity.group

    @property
    def seed(self) -> int | None:
        """The seed of the config, None if it has none."""
        seed: int | None = getattr(self.config, SEED, None)
        return seed

    def _repr_html_(self) -> str:
        return sheets.of_planned_run(self.name, self.id, self.changed)


@dataclass(frozen=True, eq=False)
class Plan(Sequence[PlannedRun]):
    """The runs of a sweep, distinct and validated, in order."""

    runs: tuple[PlannedRun, ...]
    default: Any  # the project's default, as a config
    outline: Preview  # the lines and notes of the sweep

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[PlannedRun]:
        return iter(self.runs)

    def __getitem__(self, index: Any) -> Any:
        return self.runs[index]

    @cached_property
    def id(self) -> str:
        """A stable id of the set of configs: the same whatever their order, 16 hex digits."""
        return hash_ids([run.config_id for run in self.runs])[:16]

    @cached_property
    def n_groups(self) -> int:
        """How many configs there are without counting seeds."""
        return len({run.group for run in self.runs})

    @property
    def notes(self) -> list[str]:
        """What the reader should know: keys that the command line fixed, rows that were merged."""
        return self.outline.notes

    def check_size(self, *, yes: bool = False, max_runs: int | None = None) -> None:
        """Refuse a plan that is larger than was probably meant.

        Raises:
            ConfigError: more than 200 runs without `yes`, or more than 5,000 (or `max_runs`).
        """
        _check_size(len(self), f"{len(self):,} runs", yes=yes, max_runs=max_runs)

    def preview_lines(
        self,
        *,
        header: str = "",
        finished: int | None = None,
        active: int | None = None,
        to_do: int | None = None,
        estimate: str = "",
    ) -> list[str]:
        """Write what the plan holds.

        Args:
            header: a first line, such as file, class, code and data version.
            finished: how many of the runs exist already and are finished.
            active: how many are running or queued.
            to_do: how many remain.
            estimate: how long they will take, shown beside `to_do`.
        """
        counted = [("already finished", finished, ""), ("running or queued", active, ""), ("to do", to_do, estimate)]
        groups = f"run{'s' * (len(self) != 1)} in {self.n_groups} group{'s' * (self.n_groups != 1)}"
        lines = [
            *self.outline.lines,
            PreviewLine("total", "", str(len(self)), groups),
            *(PreviewLine(kind, "", str(count), text) for kind, count, text in counted if count is not None),
        ]
        return [*([header] if header else []), *format_lines(lines), *(f"  note: {note}" for note in self.notes)]

    def preview(self) -> None:
        """Print what the plan holds, for notebooks and scripts."""
        print("\n".join(self.preview_lines()))

    def _repr_html_(self) -> str:
        first = self.runs[: sheets.MOST_RUNS]
        keys = {key for run in first for key in run.changed}
        rows = [
            (run.name, run.id, {key: plain(value) for key, value in flatten(run.config) if key in keys})
            for run in first
        ]
        return sheets.of_plan(rows, count=len(self), groups=self.n_groups, notes=self.notes)


def expand(
    default: Any,
    overrides: Sweep | Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    base: Mapping[str, Any] | Sequence[Written] | None = None,
    start: BaseModel | None = None,
    start_keys: Iterable[str] = (),
    command_line: Iterable[str | Written] = (),
    shuffle: int | None = None,
    yes: bool = False,
    max_runs: int | None = None,
) -> Plan:
    """Turn a default and alternatives into a plan of validated configs.

    What is said later wins: default, `start`, `base`, a row of the sweep, the command line.

    Args:
        default: the project's default: a `Config`, a dict or a dataclass.
        overrides: a sweep, a mapping of keys to values (lists are tried one by one), or a list of mappings.
        base: keys that every run sets, one value each.
        start: a stored config to start from instead of the default.
        start_keys: which keys of `start` a file has set.
        command_line: `key=value` tokens; a key that the sweep varies too is fixed by them.
        shuffle: a seed to shuffle the runs with, to see the spread early.
        yes: allow more than 200 runs.
        max_runs: allow that many runs instead of 5,000.

    Raises:
        ConfigError: with all problems of the plan at once.
    """
    default = as_config(default)
    builder = Builder(start or default)
    problems: list[str] = []
    given = read_command_line(command_line)
    base_cells = _read_base(builder, base or {}, problems)
    fixed, crossed = _split(builder, given, problems)
    limit = min(max(max_runs or 0, RUNS_WITHOUT_MAX) * _ROWS_BEFORE_EXCLUDE, _MOST_ROWS)
    expansion = Expansion(builder, base_cells, fixed, crossed, limit, problems)
    try:
        rows = expansion.rows(as_sweep(overrides))
    except TooMany as grown:
        _check_size(grown.count, f"at least {grown.count:,} combinations", yes=yes, max_runs=max_runs)
        raise ConfigError(f"at least {grown.count:,} combinations: too many to expand. Split the grid") from None
    _check_size(len(rows), f"{len(rows):,} runs", yes=yes, max_runs=max_runs)
    if shuffle is not None:
        Random(shuffle).shuffle(rows)
    known: dict[str, Source] = dict.fromkeys(start_keys, "file")
    return Plan(_planned(rows, default, fixed, known, builder), default, expansion.preview)


def _read_base(builder: Builder, base: Mapping[str, Any] | Sequence[Written], problems: list[str]) -> dict[str, Cell]:
    written = written_mapping(base, "file") if isinstance(base, Mapping) else base
    cells: dict[str, Cell] = {}
    hint = "; base holds one value each. Did you mean to put it under grid?"
    for each in written:
        cells |= read_single(builder.schema, each, problems, hint=hint)
    return cells


def _split(builder: Builder, given: list[Written], problems: list[str]) -> tuple[dict[str, Cell], list[Written]]:
    """Tell the tokens of a command line that set one value from those that vary a key."""
    fixed: dict[str, Cell] = {}
    crossed: list[Written] = []
    for written in given:
        choices: list[Choice] = read_dimension(builder.schema, written, problems)
        if len(choices) == 1:
            fixed |= choices[0]
        elif choices:
            crossed.append(written)
    return fixed, crossed


def _planned(
    rows: list[Row], default: BaseModel, fixed: dict[str, Cell], known: dict[str, Source], builder: Builder
) -> tuple[PlannedRun, ...]:
    defaults = dict(flatten(default))
    flat = [dict(flatten(row.config)) for row in rows if row.config is not None]
    changed = [_changes(each, defaults) for each in flat]
    varying = _varying(flat)
    shown = [_shown(row, each, varying) for row, each in zip(rows, flat, strict=True)]
    if not any(shown):  # nothing varies but the seed: say what is not the default
        shown = [{key: value for key, value in differing.items() if key != SEED} for differing in changed]
    shows_seed = [SEED in varying or SEED in differing for differing in changed]
    seeds = [each.get(SEED) if is_shown else None for each, is_shown in zip(flat, shows_seed, strict=True)]
    identities = [row.identity or identify(row.config) for row in rows if row.config is not None]
    names = name_runs(shown, [identity.short for identity in identities], seeds)
    return tuple(
        PlannedRun(
            name,
            identity,
            row.config,
            {key: plain(value) for key, value in differing.items()},
            known | {key: cell.written.source for key, cell in {**row.cells, **fixed}.items()},
        )
        for name, identity, row, differing in zip(names, identities, rows, changed, strict=True)
    )


def _changes(flat: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flat.items() if key not in defaults or not _is_same(value, defaults[key])}


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or (one != one and other != other))  # NaN is NaN


def _varying(flat: list[dict[str, Any]]) -> set[str]:
    """Find the keys that do not have one value in all configs."""
    first = flat[0]
    keys = dict.fromkeys(key for each in flat for key in each)
    return {key for key in keys if any(key not in each or not _is_same(each[key], first.get(key)) for each in flat)}


def _shown(row: Row, flat: dict[str, Any], varying: set[str]) -> dict[str, Any]:
    return {key: flat[key] for key in row.cells if key in varying and key in flat and key != SEED}


def _check_size(count: int, shown: str, *, yes: bool, max_runs: int | None) -> None:
    most = RUNS_WITHOUT_MAX if max_runs is None else max_runs
    if count > most:
        raise ConfigError(f"{shown}: more than {most:,}. Say how many you want with --max {count}")
    if count > RUNS_WITHOUT_YES and not yes and max_runs is None:
        raise ConfigError(f"{shown}: more than {RUNS_WITHOUT_YES}. Look at the preview, then say --yes")
