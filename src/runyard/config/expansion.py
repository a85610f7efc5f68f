"""From a sweep to rows: which keys each config sets, in the order in which the sweep is written.

A sweep is applied to rows: a grid branches each of them, `when` branches those that match, `exclude`
drops some. So a condition sees all that stands to the left of it, and the command line.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

from pydantic import BaseModel

from runyard.config.building import Builder, Problem, Unbuildable
from runyard.config.cells import Cell, Choice, Written, read_dimension
from runyard.config.conditions import Conditions
from runyard.config.identity import SEED, Identity, identify
from runyard.config.preview import (
    Preview,
    describe_choice,
    describe_condition,
    describe_sweep,
    show_values,
)
from runyard.config.scalars import Single
from runyard.config.sweeps import (
    Chain,
    Exclude,
    Grid,
    Product,
    Repeat,
    Sample,
    Sweep,
    When,
    Zip,
    keys_of,
    parts_of,
    written_of,
)
from runyard.errors import ConfigError


@dataclass(eq=False, slots=True)
class Row:
    """The keys that one config sets; the config is built when it is first needed."""

    cells: dict[str, Cell]
    config: BaseModel | None = None
    identity: Identity | None = None
    problems: list[Problem] = field(default_factory=list)


class TooMany(Exception):
    """A sweep grows past what may be asked for; `count` is a lower bound."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(str(count))


@dataclass(eq=False)
class Expansion:
    """Expands one sweep under one command line; `problems` and `preview` fill up on the way."""

    builder: Builder
    base: dict[str, Cell]  # what a file sets for every row
    fixed: dict[str, Cell]  # one value each, from the command line
    crossed: list[Written]  # several values each, from the command line
    most_rows: int  # a grid that grows past it is not worth expanding
    problems: list[str] = field(default_factory=list)
    preview: Preview = field(default_factory=Preview)
    _choices: dict[Written, list[Choice]] = field(default_factory=dict)

    def rows(self, sweep: Sweep) -> list[Row]:
        """Give the distinct rows of a sweep.

        Raises:
            ConfigError: all problems of the sweep and of its configs.
            TooMany: there are more than `most_rows`.
        """
        self._conditions = Conditions(self.builder, self.problems)
        self._check(sweep)
        rows = [Row(dict(self.base))]
        for written in self.crossed:
            rows = self._cross(written, rows)
        rows = self._apply(sweep, rows, "")
        if not any(line.kind in ("repeat", "plus") for line in self.preview.lines):
            self.preview.add_total(len(rows))
        rows = self._merge_duplicates(rows)
        broken = _describe_broken(rows)
        if self.problems or broken:
            raise ConfigError(list(dict.fromkeys(self.problems + broken)))
        if not rows:
            raise ConfigError("nothing is left of the grid: all of its combinations are excluded")
        return rows

    def _apply(self, sweep: Sweep, rows: list[Row], salt: str) -> list[Row]:
        match sweep:
            case Grid():
                for written in sweep.dimensions:
                    rows = self._cross(written, rows)
                return rows
            case Zip():
                return self._zip(sweep, rows)
            case Sample():
                return self._draw(sweep, rows, salt)
            case Product():
                return self._apply(sweep.second, self._apply(sweep.first, rows, salt), salt)
            case Chain():
                return self._chain(sweep, rows, salt)
            case When():
                return self._branch(sweep, rows, salt)
            case Exclude():
                return self._exclude(sweep, rows, salt)
            case Repeat():
                return self._repeat(sweep, rows, salt)
        raise TypeError(f"{sweep!r} is no sweep")

    def _cross(self, written: Written, rows: list[Row]) -> list[Row]:
        choices = self._choices_of(written)
        if choices is None:
            return rows
        values = show_values(map(describe_choice, choices), between="  " if len(written.key) > 30 else " ")
        self.preview.add(written.source if written.source == "grid" else "given", written.key, len(choices), values)
        return self._product(rows, choices)

    def _zip(self, sweep: Zip, rows: list[Row]) -> list[Row]:
        read = [(written, self._choices_of(written)) for written in sweep.dimensions]
        columns = [(written, choices) for written, choices in read if choices is not None]
        if not columns:
            return rows
        counts = [(written.key, len(choices)) for written, choices in columns]
        if len({count for _, count in counts}) > 1:
            if all(count for _, count in counts):  # an empty one has had its own message
                listed = ", ".join(f"{key} has {count}" for key, count in counts)
                self.problems.append(f"{columns[0][0].where}zip needs equally long lists: {listed}")
            return rows
        tuples = list(zip(*(choices for _, choices in columns), strict=True))
        shown = show_values(("/".join(map(describe_choice, each)) for each in tuples), between="  ")
        self.preview.add("zip", ", ".join(key for key, _ in counts), len(tuples), shown)
        return self._product(rows, [_merge(each) for each in tuples])

    def _draw(self, sweep: Sample, rows: list[Row], salt: str) -> list[Row]:
        free = [(written, ranged) for written, ranged in sweep.dimensions if not self._is_taken(written)]
        draws: list[Choice] = []
        columns = []
        for written, distribution in free:
            random = Random(f"{sweep.seed}/{written.key}/{salt}")
            drawn = [distribution.draw(random) for _ in range(sweep.count)]
            columns.append([self._read_one(written, raw) for raw in drawn])
        for each in zip(*columns, strict=True):
            draws.append(_merge(each))
        ranges = "  ".join(f"{written.key} {distribution}" for written, distribution in free)
        self.preview.add("sample", ", ".join(written.key for written, _ in free), len(draws), ranges)
        return self._product(rows, draws) if free else rows

    def _chain(self, sweep: Chain, rows: list[Row], salt: str) -> list[Row]:
        found: list[Row] = []
        for number, part in enumerate(sweep.parts):
            start = len(self.preview.lines)
            added = self._apply(part, rows, salt)
            if number and not self.preview.is_muted:
                own_lines = self.preview.lines[start:]
                del self.preview.lines[start:]
                self.preview.add("plus", "", f"+{len(added)}")
                self.preview.lines.extend(own_lines)
            found += added
        return found

    def _branch(self, sweep: When, rows: list[Row], salt: str) -> list[Row]:
        rows = self._apply(sweep.of, rows, salt)
        is_matching = self._test(sweep.condition)
        found: list[Row] = []
        matching = branched = 0
        was_muted, self.preview.is_muted = self.preview.is_muted, True
        for row in rows:
            branches = [row]
            if is_matching(row):
                branches = self._apply(sweep.then, [row], f"{salt}/{matching}")
                matching, branched = matching + 1, branched + len(branches)
            found += branches
        self.preview.is_muted = was_muted
        if not matching:
            self._read_all(sweep.then)
            self.preview.note(f"no row matches when {describe_condition(sweep.condition)}")
        factor = f"x{branched / matching:g}" if matching else "x0"
        self.preview.add("when", describe_condition(sweep.condition), factor, describe_sweep(sweep.then))
        return found

    def _exclude(self, sweep: Exclude, rows: list[Row], salt: str) -> list[Row]:
        rows = self._apply(sweep.of, rows, salt)
        self.preview.add_total(len(rows))
        is_matching = self._test(sweep.condition)
        kept = [row for row in rows if not is_matching(row)]
        condition = describe_condition(sweep.condition)
        reason = sweep.why if callable(sweep.condition) and sweep.why else condition
        if sweep.why and reason != sweep.why:
            reason += f" ({sweep.why})"
        self.preview.add("excluded", "", f"-{len(rows) - len(kept)}", reason)
        return kept

    def _repeat(self, sweep: Repeat, rows: list[Row], salt: str) -> list[Row]:
        rows = self._apply(sweep.of, rows, salt)
        self.preview.add_total(len(rows))
        if SEED in self.fixed or any(written.key == SEED for written in self.crossed):
            self.preview.note("seed is set on the command line, so nothing is repeated")
            return rows
        if not self.builder.schema.leaves(SEED):
            self.problems.append(f"repeat needs a field 'seed' in {self.builder.model.__name__}")
            return rows
        rows = self._merge_duplicates(rows)
        found = []
        seeds: set[int] = set()
        for row in rows:
            first = int(getattr(row.config, SEED, 0) or 0)
            for seed in range(first, first + sweep.times):
                written = Written(SEED, seed, "grid")
                found.append(Row({**row.cells, SEED: Cell(written, SEED, seed)}))
                seeds.add(seed)
        self.preview.add("repeat", "", f"x{sweep.times}", f"seed {show_values(map(str, sorted(seeds)))}")
        return found

    def _product(self, rows: list[Row], choices: list[Choice]) -> list[Row]:
        if len(rows) * len(choices) > self.most_rows:
            raise TooMany(len(rows) * len(choices))
        return [Row({**row.cells, **choice}) for row, choice in product(rows, choices)]

    def _choices_of(self, written: Written) -> list[Choice] | None:
        """Give the values of a dimension; None if the command line sets its key."""
        if self._is_taken(written):
            return None
        if written not in self._choices:
            self._choices[written] = read_dimension(self.builder.schema, written, self.problems)
        return self._choices[written]

    def _read_one(self, written: Written, raw: Any) -> Choice:
        single = Written(written.key, raw if isinstance(raw, Single) else Single(raw), written.source, written.where)
        found = read_dimension(self.builder.schema, single, self.problems)
        return found[0] if found else {}

    def _read_all(self, sweep: Sweep) -> None:
        """Check the values of a branch that no row takes."""
        for part in parts_of(sweep):
            if isinstance(part, Grid | Zip):
                for written in part.dimensions:
                    self._choices_of(written)

    def _is_taken(self, written: Written) -> bool:
        if written.source == "command line":
            return False
        if written.key in self.fixed:
            shown = describe_choice({written.key: self.fixed[written.key]})
            self.preview.note(f"{written.key} is fixed to {shown} by the command line")
            return True
        if any(given.key == written.key for given in self.crossed):
            self.preview.note(f"{written.key} is varied by the command line instead")
            return True
        return False

    def _test(self, condition: Any) -> Callable[[Row], bool]:
        """Give the test of a condition for a row."""
        matches = self._conditions.compile(condition)
        return lambda row: matches({**row.cells, **self.fixed}, lambda: self._config_of(row))

    def _config_of(self, row: Row) -> BaseModel | None:
        if row.config is None and not row.problems:
            try:
                row.config = self.builder.build({**row.cells, **self.fixed})
            except Unbuildable as error:
                row.problems = error.problems
        return row.config

    def _merge_duplicates(self, rows: list[Row]) -> list[Row]:
        """Keep the first of equal configs, seed included; rows that cannot be built are kept for their messages."""
        found: dict[object, Row] = {}
        for row in rows:
            config = self._config_of(row)
            if config is not None and row.identity is None:
                row.identity = identify(config)
            found.setdefault(row.identity.config_id if row.identity else row, row)
        merged = len(rows) - len(found)
        is_told = any(line.kind == "duplicates" for line in self.preview.lines)
        if merged or (self.preview.lines and not is_told):
            self.preview.add("duplicates", "", f"-{merged}" if merged else 0)
        if merged:
            text = f"{merged} rows were merged: they are" if merged > 1 else "1 row was merged: it is"
            self.preview.note(f"{text} the same config as another")
        return list(found.values())

    def _check(self, sweep: Sweep) -> None:
        """Find keys that a product sets twice, where the second would silently win."""
        for part in parts_of(sweep):
            if isinstance(part, Product):
                twice = keys_of(part.first) & keys_of(part.second)
            elif isinstance(part, Repeat):
                twice = keys_of(part.of) & {SEED}
            else:
                continue
            for key in sorted(twice):
                where = next((written.where for written in written_of(part) if written.key == key), "")
                self.problems.append(f"{where}'{key}' is swept twice; each row would have two values for it")


def _merge(choices: tuple[Choice, ...]) -> Choice:
    merged: Choice = {}
    for choice in choices:
        merged |= choice
    return merged


def _describe_broken(rows: list[Row]) -> list[str]:
    """Write each distinct problem once, with the first row that has it."""
    found: dict[Problem, list[int]] = {}
    for number, row in enumerate(rows, 1):
        for problem in row.problems:
            found.setdefault(problem, []).append(number)
    if len(rows) == 1:
        return [problem.alone() for problem in found]
    return [_describe_problem(problem, numbers) for problem, numbers in found.items()]


def _describe_problem(problem: Problem, numbers: list[int]) -> str:
    label = f" ({problem.label})" if problem.label else ""
    others = len(numbers) - 1
    more = f" (and {others} more row{'s' if others > 1 else ''})" if others else ""
    return f"{problem.where}row {numbers[0]}{label}: {problem.text} {problem.advice}".strip() + more
