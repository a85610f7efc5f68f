"""Ranges to draw from: `loguniform(1e-5, 1e-1)`, `uniform(0, 1)`, `randint(1, 8)`, `choice("adam", "sgd")`."""

from dataclasses import dataclass
from math import exp, log
from random import Random
from typing import Any, Protocol


class Distribution(Protocol):
    """Something that a value can be drawn from; the same random state gives the same value."""

    def draw(self, random: Random) -> Any:
        """Draw one value."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every value of a range is as likely as any other."""

    low: float
    high: float

    def draw(self, random: Random) -> float:
        """Draw from the range."""
        return self.low + (self.high - self.low) * random.random()

    def __str__(self) -> str:
        return f"{self.low:g} .. {self.high:g}"


@dataclass(frozen=True)
class LogUniform:
    """Every order of magnitude of a range is as likely as any other."""

    low: float
    high: float

    def draw(self, random: Random) -> float:
        """Draw from the range."""
        return min(self.high, max(self.low, exp(log(self.low) + log(self.high / self.low) * random.random())))

    def __str__(self) -> str:
        return f"{self.low:g} .. {self.high:g} (log)"


@dataclass(frozen=True)
class RandInt:
    """Every whole number of a range, both ends among them."""

    low: int
    high: int

    def draw(self, random: Random) -> int:
        """Draw from the range."""
        return self.low + int((self.high - self.low + 1) * random.random())

    def __str__(self) -> str:
        return f"{self.low} .. {self.high}"


@dataclass(frozen=True)
class Choice:
    """One of some values, each as likely as any other."""

    options: tuple[Any, ...]

    def draw(self, random: Random) -> Any:
        """Draw one of the options."""
        return self.options[int(len(self.options) * random.random())]

    def __str__(self) -> str:
        return " ".join(str(option) for option in self.options)


def uniform(low: float, high: float) -> Uniform:
    """Draw any number from `low` to `high`."""
    _require_order(low, high)
    return Uniform(float(low), float(high))


def loguniform(low: float, high: float) -> LogUniform:
    """Draw any number from `low` to `high`, each order of magnitude equally often; both must be above 0."""
    _require_order(low, high)
    if low <= 0:
        raise ValueError(f"loguniform needs numbers above 0, not {low:g}")
    return LogUniform(float(low), float(high))


def randint(low: int, high: int) -> RandInt:
    """Draw a whole number from `low` to `high`, both included."""
    _require_order(low, high)
    return RandInt(low, high)


def choice(*options: Any) -> Choice:
    """Draw one of the options."""
    if not options:
        raise ValueError("choice needs at least one option")
    return Choice(options)


def _require_order(low: float, high: float) -> None:
    if not low < high:
        raise ValueError(f"the range {low:g} .. {high:g} is empty; write the smaller number first")
