"""`experiments/*.yaml`: a question written down as base, zip, grid, when, exclude and repeat.

A block says by its name what is a sweep: `base` sets one value each, `grid` and `zip` vary. The
order of the blocks in the file does not matter: zip × grid, then the `chain`ed blocks appended,
then `when`, `exclude` and `repeat`, which apply to all of these. A chained block has its own.

A stored config (`config.yaml` of a run: plain nested keys) is read too: it replaces the default.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from runyard.config.cells import Source, Written, written_mapping
from runyard.config.model import revalidate
from runyard.config.plain_defaults import as_config
from runyard.config.plan import Plan, expand
from runyard.config.resources import parse_resources
from runyard.config.scalars import Scalar, Single, show_raw
from runyard.config.schema import schema_of
from runyard.config.suggestions import did_you_mean
from runyard.config.sweeps import Chain, Exclude, Grid, Product, Repeat, Sweep, When, Zip
from runyard.config.yaml_source import Section, read_yaml_file
from runyard.errors import ConfigError
from runyard.records import Resources

_BLOCKS = ("base", "zip", "grid", "when", "exclude", "repeat", "chain")
_FILE_ONLY = ("config", "name", "include", "resources")


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """What a file asks for, over a project's default."""

    name: str
    path: Path
    default: Any  # the project's default, as a config
    start: BaseModel | None  # a stored config that replaces it
    start_keys: tuple[str, ...]
    base: tuple[Written, ...]
    sweep: Sweep
    resources: Resources
    has_sweep: bool  # False: the file describes one config

    def expand(
        self,
        *,
        command_line: Iterable[str | Written] = (),
        shuffle: int | None = None,
        yes: bool = False,
        max_runs: int | None = None,
    ) -> Plan:
        """Turn the file and a command line into a plan; raise ConfigError with all problems."""
        return expand(
            self.default,
            self.sweep,
            base=self.base,
            start=self.start,
            start_keys=self.start_keys,
            command_line=command_line,
            shuffle=shuffle,
            yes=yes,
            max_runs=max_runs,
        )


def load_experiment(path: str | Path, default: Any) -> Experiment:
    """Read an experiment or a stored config; its keys and values are checked by `Experiment.expand`.

    Args:
        path: the file, shown in messages as it is given here.
        default: the project's default: a Config, a dict or a dataclass.

    Raises:
        ConfigError: the file is no YAML or has blocks that do not exist; file and line are named.
    """
    config = as_config(default)
    shown_as = str(path)
    section = _read_section(Path(path), shown_as)
    if _is_stored_config(section, config):
        return _stored(Path(path), section, config)
    return _Reader(shown_as, _first_parts(config)).read(Path(path), section, config)


def _read_section(path: Path, shown_as: str) -> Section:
    tree = read_yaml_file(path, shown_as=shown_as)
    if tree is None:
        return Section()
    if not isinstance(tree, Section):
        raise ConfigError(f"{shown_as}:1: a file of settings is a mapping of keys to values, not {show_raw(tree)[:40]}")
    return tree


def _is_stored_config(section: Section, config: BaseModel) -> bool:
    """Tell a stored config from an experiment by what most of its first keys are."""
    fields = _first_parts(config) | {step.old.split(".")[0] for step in getattr(type(config), "upgrades", ())}
    as_fields = sum(key.split(".")[0] in fields for key in section)
    as_blocks = sum(key in (*_BLOCKS, *_FILE_ONLY) for key in section)
    return as_fields > as_blocks


def _first_parts(config: BaseModel) -> set[str]:
    return {key.split(".")[0] for key in schema_of(type(config)).entries}


def _stored(path: Path, section: Section, config: BaseModel) -> Experiment:
    start = revalidate(section, type(config), file=str(path), over=config)
    return Experiment(
        name=path.stem,
        path=path,
        default=config,
        start=start,
        start_keys=tuple(_dotted(section)),
        base=(),
        sweep=Grid(()),
        resources=Resources(),
        has_sweep=False,
    )


def _dotted(tree: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key, inner in tree.items():
        if isinstance(inner, Mapping):
            yield from _dotted(inner, f"{prefix}{key}.")
        else:
            yield prefix + key


class _Reader:
    """Reads the blocks of one file and gathers all that is wrong with them."""

    def __init__(self, shown_as: str, fields: set[str]) -> None:
        self.file = shown_as
        self.fields = fields
        self.problems: list[str] = []

    def read(self, path: Path, section: Section, config: BaseModel) -> Experiment:
        own = section
        included = self._included(path, section)
        self._check_names(own, (*_BLOCKS, *_FILE_ONLY))
        self._check_class(own, config)
        base = {written.key: written for part in (included, own) for written in self._base(part)}
        blocks = {key: (owner, owner[key]) for owner in (included, own) for key in _filled(owner) if key != "base"}
        sweep = self._sweep(blocks)
        resources = self._resources(blocks)
        name = blocks["name"][1] if "name" in blocks else path.stem
        experiment = Experiment(
            name=_text(name),
            path=path,
            default=config,
            start=None,
            start_keys=(),
            base=tuple(base.values()),
            sweep=sweep,
            resources=resources,
            has_sweep=any(key in blocks for key in ("zip", "grid", "when", "repeat", "chain")),
        )
        if self.problems:
            raise ConfigError(self.problems + _problems_of(experiment))
        return experiment

    def _included(self, path: Path, section: Section) -> Section:
        if "include" not in section:
            return Section()
        other = section["include"]
        if not isinstance(other, Scalar | str):
            self._complain(section, "include", "include names one file")
            return Section()
        name = other.text if isinstance(other, Scalar) else other
        included = _read_section(path.parent / name, str(path.parent / name))
        outer, self.file = self.file, str(path.parent / name)
        self._check_names(included, (*_BLOCKS, *_FILE_ONLY))
        if "include" in included:
            self._complain(included, "include", "an included file cannot include another; one level is allowed")
        self.file = outer
        return _in_file(included, str(path.parent / name))

    def _check_names(self, section: Section, allowed: Iterable[str]) -> None:
        for key in section:
            if key not in allowed:
                guess = did_you_mean(key, allowed)
                there = f". There are {', '.join(allowed)}"
                hint = "; settings stand under base" if key.split(".")[0] in self.fields else ""
                self._complain(section, key, f"unknown block '{key}'{hint}{guess or there}")

    def _check_class(self, section: Section, config: BaseModel) -> None:
        if "config" not in section:
            return
        wanted = _text(section["config"])
        actual = type(config).__name__
        if wanted.rpartition(":")[2] != actual:
            self._complain(section, "config", f"the file is for {wanted}, but this project's DEFAULT is a {actual}")

    def _base(self, section: Section) -> list[Written]:
        if "base" not in _filled(section):
            return []
        content = section["base"]
        return self._written(section, "base", content, "file")

    def _sweep(self, blocks: Mapping[str, tuple[Section, Any]]) -> Sweep:
        """Combine the blocks of the file, or of one part of `chain`."""
        sweep: Sweep = Grid(())
        for key, one_of in (("zip", Zip), ("grid", Grid)):
            if key in blocks:
                owner, content = blocks[key]
                for part in content if isinstance(content, list) else [content]:
                    sweep = _cross(sweep, one_of(tuple(self._written(owner, key, part, "grid"))))
        if "chain" in blocks:
            parts = self._chain(*blocks["chain"])
            if parts:
                sweep = Chain((sweep, *parts) if "zip" in blocks or "grid" in blocks else tuple(parts))
        for branch, owner in self._listed(blocks, "when"):
            sweep = self._when(sweep, branch, owner)
        for condition, owner in self._listed(blocks, "exclude"):
            sweep = self._exclude(sweep, condition, owner)
        return self._repeat(sweep, *blocks["repeat"]) if "repeat" in blocks else sweep

    def _chain(self, owner: Section, content: Any) -> list[Sweep]:
        if not isinstance(content, list) or not content:
            self._complain(owner, "chain", "chain is a list of blocks")
            return []
        parts: list[Sweep] = []
        for part in content:
            if not isinstance(part, Section):
                self._complain(owner, "chain", f"a part of chain has blocks such as grid, not {show_raw(part)}")
                continue
            part = _in_file(part, _file_of(owner, self.file))
            self._check_names(part, _BLOCKS)
            sweep = self._sweep({key: (part, part[key]) for key in _filled(part) if key != "base"})
            base = Grid(tuple(self._base_of_part(part)))
            parts.append(_cross(base, sweep))
        return parts

    def _base_of_part(self, part: Section) -> list[Written]:
        """Read the base of a chained block: single values that only its own rows have."""
        return [Written(each.key, Single(each.raw), "grid", each.where) for each in self._base(part)]

    def _listed(self, blocks: Mapping[str, tuple[Section, Any]], key: str) -> list[tuple[Section, Section]]:
        if key not in blocks:
            return []
        owner, content = blocks[key]
        entries = content if isinstance(content, list) else [content]
        for entry in entries:
            if not isinstance(entry, Section):
                self._complain(owner, key, f"{key} is a list of mappings, not of {show_raw(entry)}")
        return [(entry, owner) for entry in entries if isinstance(entry, Section)]

    def _when(self, sweep: Sweep, branch: Section, owner: Section) -> Sweep:
        branch = _in_file(branch, _file_of(owner, self.file))
        self._check_names(branch, ("if", *_BLOCKS))
        condition = branch.get("if")
        if not isinstance(condition, Section):
            self._complain(owner, "when", "when needs an if, such as {if: {model.name: vit}, grid: {…}}", branch.line)
            return sweep
        then = self._sweep({key: (branch, branch[key]) for key in _filled(branch) if key not in ("if", "base")})
        base = Grid(tuple(self._base_of_part(branch)))
        tested = tuple(self._written(branch, "if", condition, "grid"))
        return When(sweep, tested, _cross(base, then))

    def _exclude(self, sweep: Sweep, condition: Section, owner: Section) -> Sweep:
        tested = [each for each in self._written(owner, "exclude", condition, "grid") if each.key != "why"]
        if not tested:
            self._complain(owner, "exclude", "an empty exclude would leave nothing", condition.line)
            return sweep
        return Exclude(sweep, tuple(tested), _text(condition.get("why", "")))

    def _repeat(self, sweep: Sweep, owner: Section, raw: Any) -> Sweep:
        times = raw.value if isinstance(raw, Scalar) else raw
        if not isinstance(times, int) or isinstance(times, bool) or times < 1:
            self._complain(owner, "repeat", f"repeat is a whole number of at least 1, not {show_raw(raw)}")
            return sweep
        return Repeat(sweep, times)

    def _resources(self, blocks: Mapping[str, tuple[Section, Any]]) -> Resources:
        if "resources" not in blocks:
            return Resources()
        owner, content = blocks["resources"]
        if not isinstance(content, Section):
            self._complain(owner, "resources", "resources is a mapping, such as {gpus: 1, time: 2h}")
            return Resources()
        file = _file_of(owner, self.file)
        return parse_resources(content, where=lambda key: f"{file}:{content.lines[key]}: ", problems=self.problems)

    def _written(self, owner: Section, block: str, content: Any, source: Source) -> list[Written]:
        if not isinstance(content, Section):
            self._complain(owner, block, f"{block} is a mapping of keys to values, not {show_raw(content)}")
            return []
        return written_mapping(content, source, file=_file_of(owner, self.file))

    def _complain(self, section: Section, key: str, text: str, line: int | None = None) -> None:
        self.problems.append(f"{_file_of(section, self.file)}:{line or section.lines.get(key, 1)}: {text}")


def _cross(first: Sweep, second: Sweep) -> Sweep:
    """Cross two sweeps, without an empty grid in front that would only show in the preview."""
    return second if isinstance(first, Grid) and not first.dimensions else Product(first, second)


def _problems_of(experiment: Experiment) -> list[str]:
    """Check the keys and values of a file whose blocks are wrong too, so that all is told at once."""
    try:
        experiment.expand(yes=True, max_runs=sys.maxsize)
    except ConfigError as error:
        return error.problems
    return []


def _filled(section: Section) -> list[str]:
    """List the blocks that hold something; `grid:` with nothing after it is as good as none."""
    return [key for key, raw in section.items() if not (isinstance(raw, Scalar) and raw.value is None)]


def _in_file(section: Section, file: str) -> Section:
    """Remember which file a section is from, as an included one is merged into another."""
    section.file = file
    return section


def _file_of(section: Section, otherwise: str) -> str:
    return section.file or otherwise


def _text(raw: Any) -> str:
    return raw.text if isinstance(raw, Scalar) else str(raw)
