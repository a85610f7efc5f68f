"""Declarations of alternatives: `grid`, `zipped`, `sample`, `when`, and how they combine.

`*` crosses two sweeps, `+` appends one to the other. A sweep is only a description; it knows no config
class. `runyard.config.expansion` turns it into rows, in the order in which it is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from runyard.config.cells import Source, Written, written_mapping
from runyard.config.distributions import Choice as ChoiceOf
from runyard.config.distributions import Distribution
from runyard.config.scalars import Several

Predicate: TypeAlias = Callable[[Any], bool]
Condition: TypeAlias = "tuple[Written, ...] | Predicate"


class Sweep:
    """A declaration of alternatives; combine sweeps with `*` (cross) and `+` (append)."""

    def __mul__(self, other: "Sweep | Mapping[str, Any]") -> "Sweep":
        return Product(self, as_sweep(other))

    def __rmul__(self, other: Mapping[str, Any]) -> "Sweep":
        return Product(as_sweep(other), self)

    def __add__(self, other: "Sweep | Mapping[str, Any]") -> "Sweep":
        return Chain((self, as_sweep(other)))

    def __radd__(self, other: Mapping[str, Any]) -> "Sweep":
        return Chain((as_sweep(other), self))

    def exclude(self, condition: Mapping[str, Any] | Predicate, *, why: str = "") -> "Sweep":
        """Leave out the rows that match: all keys of a mapping, or a function of the config.

        Args:
            condition: `{"model.patch": 8, "optim.lr": 1e-2}` (a list as a value means any of them), or
                `lambda config: config.data.size > 512`.
            why: the reason, shown in the preview.
        """
        return Exclude(self, as_condition(condition), why)

    def repeat(self, times: int) -> "Sweep":
        """Run each row with several seeds, counted from the seed of the config."""
        if times < 1:
            raise ValueError(f"repeat needs a number of at least 1, not {times}")
        return Repeat(self, times)

    def _repr_html_(self) -> str:
        from runyard.config.sheets import of_sweep  # late: for notebooks alone

        kinds = [type(part).__name__ for part in parts_of(self)]
        return of_sweep(kinds, [(written.key, written.raw) for written in written_of(self)])


@dataclass(frozen=True, eq=False)
class Grid(Sweep):
    """Every combination of the values of its dimensions; the last one varies fastest."""

    dimensions: tuple[Written, ...]


@dataclass(frozen=True, eq=False)
class Zip(Sweep):
    """The first values of all dimensions, then the second ones, and so on."""

    dimensions: tuple[Written, ...]


@dataclass(frozen=True, eq=False)
class Sample(Sweep):
    """Fixed draws: the same seed gives the same rows."""

    count: int
    dimensions: tuple[tuple[Written, Distribution], ...]
    seed: int


@dataclass(frozen=True, eq=False)
class When(Sweep):
    """The rows of `of`; those that match branch into the rows of `then`, the others stay."""

    of: Sweep
    condition: Condition
    then: Sweep


@dataclass(frozen=True, eq=False)
class Exclude(Sweep):
    """The rows of `of` but those that match."""

    of: Sweep
    condition: Condition
    why: str


@dataclass(frozen=True, eq=False)
class Repeat(Sweep):
    """Each row of `of` with several seeds."""

    of: Sweep
    times: int


@dataclass(frozen=True, eq=False)
class Product(Sweep):
    """Each row of `first` with each row of `second`."""

    first: Sweep
    second: Sweep


@dataclass(frozen=True, eq=False)
class Chain(Sweep):
    """The rows of one part after the other."""

    parts: tuple[Sweep, ...]


def grid(dimensions: Mapping[str, Any]) -> Sweep:
    """Cross the values of some keys: `grid({"optim.lr": [1e-3, 1e-2], "seed": [0, 1]})` has 4 rows."""
    return grid_of(written_mapping(dimensions, "grid"))


def zipped(dimensions: Mapping[str, Any]) -> Sweep:
    """Pair the values of some keys: `zipped({"model.name": ["a", "b"], "data.size": [224, 384]})` has 2 rows."""
    return Zip(tuple(written_mapping(dimensions, "grid")))


def sample(count: int, space: Mapping[str, Any], *, seed: int = 0) -> Sweep:
    """Draw rows: `sample(20, {"optim.lr": loguniform(1e-5, 1e-1), "optim.kind": choice("adam", "sgd")})`.

    The draws are fixed by `seed`; those of one key do not change when another is added.
    """
    if count < 1:
        raise ValueError(f"sample needs a number of at least 1, not {count}")
    return sample_of(count, written_mapping(space, "grid"), seed=seed)


def when(of: Sweep | Mapping[str, Any], condition: Mapping[str, Any] | Predicate, then: Any) -> Sweep:
    """Branch only the rows that match: `when(s, {"model.name": "vit"}, grid({"model.patch": [8, 16]}))`."""
    return When(as_sweep(of), as_condition(condition), as_sweep(then))


def grid_of(written: list[Written]) -> Sweep:
    """Make a grid of keys that know where they were written."""
    return Grid(tuple(written))


def sample_of(count: int, space: list[Written], *, seed: int) -> Sweep:
    """Make a sample of ranges that know where they were written; a list is a choice, anything else a constant."""
    return Sample(count, tuple((each, _as_distribution(each.raw)) for each in space), seed)


def as_sweep(declared: Any) -> Sweep:
    """Take a sweep as it is, a mapping as a grid, a list of either as one after the other."""
    if isinstance(declared, Sweep):
        return declared
    if declared is None:
        return Grid(())
    if isinstance(declared, Mapping):
        return grid(declared)
    if isinstance(declared, list | tuple):
        return Chain(tuple(as_sweep(part) for part in declared))
    raise TypeError(f"a sweep is a mapping of keys to values, or made by grid() and the like, not {declared!r}")


def as_condition(condition: Mapping[str, Any] | Predicate, source: Source = "grid") -> Condition:
    """Take a function as it is, a mapping as keys that must all match."""
    return condition if callable(condition) else tuple(written_mapping(condition, source))


def parts_of(sweep: Sweep) -> list[Sweep]:
    """List the sweeps that a sweep is made of, itself first."""
    inner: list[Sweep] = []
    if isinstance(sweep, Product):
        inner = [sweep.first, sweep.second]
    elif isinstance(sweep, Chain):
        inner = list(sweep.parts)
    elif isinstance(sweep, When):
        inner = [sweep.of, sweep.then]
    elif isinstance(sweep, Exclude | Repeat):
        inner = [sweep.of]
    return [sweep, *(part for each in inner for part in parts_of(each))]


def keys_of(sweep: Sweep) -> set[str]:
    """List the keys that a sweep varies."""
    keys = {written.key for written in written_of(sweep)}
    return keys | {"seed"} if any(isinstance(part, Repeat) for part in parts_of(sweep)) else keys


def written_of(sweep: Sweep) -> list[Written]:
    """List the dimensions of a sweep, with where they were written."""
    found: list[Written] = []
    for part in parts_of(sweep):
        if isinstance(part, Grid | Zip):
            found += part.dimensions
        elif isinstance(part, Sample):
            found += [written for written, _ in part.dimensions]
    return found


def _as_distribution(raw: Any) -> Distribution:
    if hasattr(raw, "draw"):
        distribution: Distribution = raw
        return distribution
    if isinstance(raw, Several | list | tuple):
        return ChoiceOf(tuple(raw.items if isinstance(raw, Several) else raw))
    return ChoiceOf((raw,))
