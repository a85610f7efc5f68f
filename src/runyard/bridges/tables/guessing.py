"""What the columns of a CSV file mean: as they are told, else by prefix, else by name, else by what they hold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import pairwise

from runyard.bridges.tables import cells
from runyard.bridges.tables.columns import CONFIG, FIELDS, METRIC, SERIES
from runyard.bridges.tables.reading import CsvTable
from runyard.errors import UsageError

SAMPLE = 200  # rows that are looked at


class Kind(StrEnum):
    """What a file holds."""

    RUNS = "runs"  # a row is a run
    HISTORY = "history"  # the file is a run, a row one step of it
    POINTS = "points"  # a row is a point of a run: what `--series` exported


class Role(StrEnum):
    """What a column becomes."""

    FIELD = "field"
    CONFIG = "config"
    METRIC = "metric"
    LABEL = "label"
    TAG = "tag"
    STEP = "step"
    TIME = "time"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Choices:
    """What the caller says of columns, by names or patterns such as `val_*`; it wins over every guess."""

    config: Sequence[str] = ()
    metric: Sequence[str] = ()
    tag: Sequence[str] = ()
    ignore: Sequence[str] = ()
    id: str | None = None
    step: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Meaning:
    """A column, what it becomes, and under which name."""

    column: str
    role: Role
    name: str


@dataclass(frozen=True)
class Layout:
    """What a file means. `is_ours`: `runyard export` wrote it."""

    kind: Kind
    meanings: tuple[Meaning, ...]
    is_ours: bool = False


_FIELDS = {
    "run_id": "id",
    "run": "name",
    "run_name": "name",
    "runname": "name",
    "title": "name",
    "group": "experiment",
    "experiment_name": "experiment",
    "notes": "note",
    "comment": "note",
    "tag": "tags",
    "status": "state",
    "random_seed": "seed",
    "username": "user",
    "hostname": "host",
    "machine": "host",
    "created": "created_at",
    "date": "created_at",
    "started": "started_at",
    "start_time": "started_at",
    "start": "started_at",
    "ended": "ended_at",
    "finished_at": "ended_at",
    "end_time": "ended_at",
    "end": "ended_at",
    "git_commit": "commit",
}
_PREFIXES = (
    (("config.", "config/", "params.", "param.", "hparams.", "hparam/", "hparams/"), Role.CONFIG),
    (("metrics.", "metric.", "metric/", "metrics/", "summary."), Role.METRIC),
    (("label.", "labels."), Role.LABEL),
    (("tags.", "tag."), Role.LABEL),
)
_STEPS = ("step", "_step", "global_step", "iteration", "iter", "epoch")
_TIMES = ("time", "_timestamp", "timestamp", "wall time", "wall_time", "walltime", "datetime")
_MEASURED = re.compile(
    r"(^|[^a-z])(loss|acc|accuracy|error|err|f1|auc|auroc|ap|map|iou|miou|dice|score|precision|recall|mse|rmse|mae|r2"
    r"|perplexity|ppl|bleu|rouge|wer|cer|fid|psnr|ssim|nll|likelihood|reward|return|kappa|mcc|top1|top5|latency"
    r"|throughput|runtime)([^a-z]|$)"
)
_STAGE = re.compile(r"^(train|training|val|valid|validation|test|eval|dev)([/_. -]|$)")


def guess(table: CsvTable, choices: Choices) -> Layout:
    """What a file means.

    Raises:
        UsageError: a column that was named is not there, or none becomes what the file needs.
    """
    _check(table, choices)
    lower = {column.lower(): column for column in table.columns}
    if {"run", "key", "step", "value"} <= set(table.columns):
        roles = {"step": Role.STEP, "time": Role.TIME}
        return Layout(
            Kind.POINTS,
            tuple(
                Meaning(each, roles.get(each, Role.FIELD if each in SERIES else Role.IGNORED), each)
                for each in table.columns
            ),
            is_ours=True,
        )
    if FIELDS.keys() <= set(table.columns):
        return Layout(Kind.RUNS, tuple(_runs(table, choices, {})), is_ours=True)
    sample = _sample(table)
    step = choices.step or _step_column(table, lower, sample, choices)
    if step is not None:
        return Layout(Kind.HISTORY, tuple(_history(table, choices, lower, sample, step)))
    return Layout(Kind.RUNS, tuple(_runs(table, choices, sample)))


def _check(table: CsvTable, choices: Choices) -> None:
    named = [each for each in (choices.id, choices.step, choices.time) if each is not None]
    patterns = [*choices.config, *choices.metric, *choices.tag, *choices.ignore]
    missing = [each for each in named if each not in table.columns]
    missing += [each for each in patterns if not any(fnmatchcase(column, each) for column in table.columns)]
    if missing:
        listed = ", ".join(table.columns[:20]) + (", …" if len(table.columns) > 20 else "")
        raise UsageError(f"{table.path} has no column {missing[0]!r}. Its columns: {listed}.")


def _sample(table: CsvTable) -> dict[str, list[str]]:
    """What the first rows hold, by column, without what is empty."""
    found: dict[str, list[str]] = {column: [] for column in table.columns}
    for count, (_, row) in enumerate(table.rows()):
        if count == SAMPLE:
            break
        for column, cell in zip(table.columns, row, strict=True):
            if cell.strip():
                found[column].append(cell)
    table.bytes_read = 0
    return found


def _step_column(table: CsvTable, lower: dict[str, str], sample: dict[str, list[str]], choices: Choices) -> str | None:
    """The column that numbers the steps of one run; None if rows are runs."""
    names = {_FIELDS.get(each, each) for each in lower}
    if choices.id or {"id", "name"} & names or any(each.startswith((CONFIG, METRIC)) for each in lower):
        return None
    for name in _STEPS:
        column = lower.get(name)
        if column is not None:
            numbers = [cells.number_in(each) for each in sample[column]]
            steps = [each for each in numbers if each is not None and each.is_integer()]
            grows = all(before <= after for before, after in pairwise(steps))
            if len(steps) > len(numbers) / 2 and grows and len(set(steps)) > len(steps) / 2:
                return column
    return None


def _told(column: str, choices: Choices) -> Role | None:
    for patterns, role in (
        (choices.ignore, Role.IGNORED),
        (choices.config, Role.CONFIG),
        (choices.metric, Role.METRIC),
        (choices.tag, Role.TAG),
    ):
        if any(fnmatchcase(column, each) for each in patterns):
            return role
    return None


def _runs(table: CsvTable, choices: Choices, sample: dict[str, list[str]]) -> list[Meaning]:
    meanings: list[Meaning] = []
    taken: set[str] = set()
    for column in table.columns:
        found = _of_runs(column, choices, sample.get(column, []))
        if found.role is Role.FIELD:
            if found.name in taken:
                found = Meaning(column, Role.CONFIG, column)  # the first one is the name
            taken.add(found.name)
        meanings.append(found)
    return meanings


def _of_runs(column: str, choices: Choices, sample: Sequence[str]) -> Meaning:
    told = _told(column, choices)
    prefix, role = next(
        ((each, role) for each_prefixes, role in _PREFIXES for each in each_prefixes if column.startswith(each)),
        ("", None),
    )
    name = column[len(prefix) :] if prefix and len(column) > len(prefix) else column
    if column == choices.id:
        return Meaning(column, Role.FIELD, "id")
    if told is not None:
        return Meaning(column, told, name)
    if role is not None and name != column:
        return Meaning(column, role, name)
    known = _FIELDS.get(column.lower(), column.lower())
    if column in FIELDS or known in FIELDS:
        return Meaning(column, Role.FIELD, column if column in FIELDS else known)
    if not column or not sample:
        return Meaning(column, Role.IGNORED if not column else Role.CONFIG, column)
    is_number = (
        sum(cells.number_in(each) is not None for each in sample) > len(sample) / 2
    )  # what is none is told later
    is_measured = is_number and (_MEASURED.search(column.lower()) or _STAGE.match(column.lower()))
    return Meaning(column, Role.METRIC if is_measured else Role.CONFIG, column)


def _history(
    table: CsvTable, choices: Choices, lower: dict[str, str], sample: dict[str, list[str]], step: str
) -> list[Meaning]:
    time = choices.time or next((lower[each] for each in _TIMES if each in lower and lower[each] != step), None)
    meanings = []
    for column in table.columns:
        told = _told(column, choices)
        name = column
        for prefix in ("metric.", "metrics.", "metric/", "metrics/"):
            name = name.removeprefix(prefix) or name
        if column == step:
            meanings.append(Meaning(column, Role.STEP, "step"))
        elif column == time:
            meanings.append(Meaning(column, Role.TIME, "time"))
        elif told is not None:
            meanings.append(Meaning(column, told, name))
        else:
            numbers = [cells.number_in(each) is not None for each in sample[column]]
            is_metric = bool(numbers) and sum(numbers) > len(numbers) / 2 and bool(column)
            meanings.append(Meaning(column, Role.METRIC if is_metric else Role.IGNORED, name))
    metrics = [each for each in meanings if each.role is Role.METRIC]
    if not metrics:
        raise UsageError(f"{table.path} has no column of numbers beside {step!r}. Name some with --metric.")
    if (
        len(metrics) == 1 and metrics[0].name.lower() == "value"
    ):  # what TensorBoard saves: the file's name says the rest
        place = meanings.index(metrics[0])
        meanings[place] = Meaning(metrics[0].column, Role.METRIC, table.path.stem)
    return meanings
