"""A series: points in time, the oldest first, with one value or several at each."""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.contracts.array import Array, Dims
from runyard.contracts.conversion import as_array
from runyard.contracts.problems import Problem, require_none
from runyard.contracts.table import Table, columns_of

_MOST_GAPS = 3


@dataclass(frozen=True)
class Series:
    """A table of times and channels: a dict of columns, a frame of pandas or polars, or a list of dicts.

        Series({"value": Array(dtype="number", range=(0, 1000))}, every=1, at_least=26)

    Attributes:
        channels: by name, each with what is promised of its values; one value a point, unless it has a shape.
        time: the column of times: numbers, dates, or texts of either (ISO 8601).
        every: from one point to the next, in units of the times (of dates: a timedelta, or seconds). None: times only
            have to rise.
        jitter: a step may be off by this part of `every`; months are 0.06.
        length: exactly so many points; None for any number.
        at_least: so many points must be there.
    """

    channels: Mapping[str, Array]
    _: KW_ONLY
    time: str = "time"
    every: float | timedelta | None = None
    jitter: float = 0.01
    length: int | None = None
    at_least: int | None = None

    @property
    def one(self) -> "Series":
        """A series is one sample."""
        return self

    def window(self, length: int) -> "Series":
        """A piece of the series, of so many points: what a model is asked with."""
        return replace(self, length=length, at_least=None)

    def problems(self, value: Any, *, place: str = "value", dims: Dims | None = None) -> list[Problem]:
        """Everything that the series does not keep; empty if it is as declared. See `Array.problems`."""
        columns = {self.time: Array(), **self.channels}
        found = Table(columns, at_least=self.at_least).problems(value, place=place)
        given = columns_of(value)
        if found or given is None:
            return found
        try:
            times = times_of(given[self.time])
        except ValueError as error:
            return [Problem(f"{place}.{self.time}", str(error))]
        return [Problem(f"{place}.{self.time}", sentence) for sentence in self._of_times(times, given[self.time])]

    def check(self, value: Any, *, place: str = "value") -> None:
        """Do nothing if the series is as declared.

        Raises:
            ContractBroken: it is not.
        """
        require_none(self.problems(value, place=place), what="The value")

    def schema(self) -> dict[str, Any]:
        """The columns as a JSON schema, times and values as lists of equal length."""
        size = self.length if self.length is not None else self.at_least
        bounds = {} if size is None else {"minItems": size}
        bounds |= {} if self.length is None else {"maxItems": self.length}
        time = {"anyOf": [{"type": "number"}, {"type": "string"}]}
        items = {self.time: time} | {name: replace(each, shape=None).schema() for name, each in self.channels.items()}
        columns = {name: {"type": "array", "items": item, **bounds} for name, item in items.items()}
        return {"type": "object", "properties": columns, "required": list(columns)}

    def _of_times(self, times: NDArray[np.float64], given: Any) -> Iterator[str]:
        if self.length is not None and len(times) != self.length:
            yield f"has {len(times):,} points; {self.length:,} are declared."
        steps = np.diff(times)
        names = list(given.tolist() if hasattr(given, "tolist") else given)
        if (steps <= 0).any():
            place = int((steps <= 0).argmax())
            yield f"does not rise from {names[place]} to {names[place + 1]}; the oldest point comes first."
            return
        if self.every is None or not len(steps):
            return
        every = self.every.total_seconds() if isinstance(self.every, timedelta) else float(self.every)
        wrong = np.flatnonzero(np.abs(steps - every) > self.jitter * every)
        if len(wrong):
            told = ", ".join(f"{names[place]} to {names[place + 1]}" for place in wrong[:_MOST_GAPS])
            more = f" and {len(wrong) - _MOST_GAPS:,} others" if len(wrong) > _MOST_GAPS else ""
            unit = self.every if isinstance(self.every, timedelta) else f"{self.every:g}"
            yield f"steps otherwise than by {unit}, which is declared: {told}{more}. Is a point missing?"


def times_of(value: Any) -> NDArray[np.float64]:
    """Times as numbers, shape (n,): numbers as they are, dates in seconds.

    Raises:
        ValueError: one is neither a number nor a date.
    """
    array = as_array(value).array
    if array.dtype.kind in "fiu":
        return array.astype(np.float64)
    if array.dtype.kind == "M":
        return array.astype("datetime64[us]").astype(np.float64) / 1e6
    texts = [str(each) for each in array.tolist()]
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        pass
    try:
        return np.array(texts, "datetime64[us]").astype(np.float64) / 1e6
    except ValueError as error:
        raise ValueError(f"holds a time that is neither a number nor a date: {error}.") from None
