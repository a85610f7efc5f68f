"""An array of samples, and everything that can be promised of it."""

import math
from collections.abc import Collection, Iterator, MutableMapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from runyard.contracts.conversion import AnyArray, Converted, as_array, name_of
from runyard.contracts.problems import Problem, require_none

Shape = tuple[int | str, ...]  # a name stands for any size; the same name is the same size in a whole contract
Dims = MutableMapping[str, tuple[int, str]]  # name -> its size, and the field that it was first seen in

_KINDS = {"float": "f", "int": "iu", "number": "fiu", "text": "USTO", "bool": "b"}
_SHOWN = 5


@dataclass(frozen=True)
class Array:
    """An array, a tensor, a column or nested lists, the samples along the first axis.

        Array(("n", 28, 28), dtype="float32", range=(0, 1))
        Array(("n",), dtype="int64", values=range(10), each_at_least=5)

    Attributes:
        shape: sizes, or names for those that may vary; None for any. A name that occurs again means the same size.
        dtype: a name such as "float32", or a kind: "float", "int", "number", "text", "bool". Plain Python numbers,
            which know no size, are judged by their kind.
        range: smallest and largest value, both allowed; None for no limit.
        values: all values that may occur, such as labels.
        finite: infinities are a problem.
        missing: NaN, None and empty texts are allowed.
        unique: no value may occur twice (of a one-dimensional array).
        at_least: so many samples must be there.
        each_at_least: so often each of `values` must occur.
        balance: the rarest of the values occurs at least so often, as a part of the commonest one (0 to 1).
    """

    shape: Shape | None = None
    _: KW_ONLY
    dtype: str | None = None
    range: tuple[float | None, float | None] | None = None
    values: Collection[Any] | None = None
    finite: bool = True
    missing: bool = False
    unique: bool = False
    at_least: int | None = None
    each_at_least: int | None = None
    balance: float | None = None

    @property
    def one(self) -> "Array":
        """What holds for a single sample: without the first axis, and without what only many samples can keep."""
        shape = self.shape[1:] if self.shape else self.shape
        return replace(self, shape=shape, unique=False, at_least=None, each_at_least=None, balance=None)

    def problems(self, value: Any, *, place: str = "value", dims: Dims | None = None) -> list[Problem]:
        """Everything that the value does not keep, the most basic first; empty if it is as declared.

        Args:
            value: an array of NumPy, a tensor, a column of pandas or polars, nested lists, or a number.
            place: what it is called in the sentences.
            dims: sizes by name that are known already; names of this array are added.
        """
        try:
            found = as_array(value)
        except ValueError as error:
            return [Problem(place, str(error))]
        sentences = list(self._of_form(found, {} if dims is None else dims, place))
        if not sentences:  # values of a wrong type would only raise more of the same
            sentences = list(self._of_values(found.array))
        return [Problem(place, sentence) for sentence in sentences]

    def check(self, value: Any, *, place: str = "value") -> None:
        """Do nothing if the value is as declared.

        Raises:
            ContractBroken: it is not.
        """
        require_none(self.problems(value, place=place), what="The value")

    def schema(self) -> dict[str, Any]:
        """What it is as a JSON schema: for lists of numbers or texts."""
        kind = np.dtype(self.dtype).kind if self.dtype and self.dtype not in _KINDS else (self.dtype or "")[:1]
        name = {
            "f": "number",
            "n": "number",
            "i": "integer",
            "u": "integer",
            "t": "string",
            "U": "string",
            "b": "boolean",
        }
        found: dict[str, Any] = {"type": name[kind]} if kind in name else {}
        low, high = self.range or (None, None)
        found |= {key: limit for key, limit in (("minimum", low), ("maximum", high)) if limit is not None}
        if self.values is not None:
            found["enum"] = list(self.values)
        if self.missing:
            found = {"anyOf": [found, {"type": "null"}]}
        for length in reversed(self.shape or ()):
            bounds = {"minItems": length, "maxItems": length} if isinstance(length, int) else {}
            found = {"type": "array", "items": found, **bounds}
        return found

    # ---- shape and type ----

    def _of_form(self, found: Converted, dims: Dims, place: str) -> Iterator[str]:
        if self.shape is not None:
            yield from _misfit(found.array.shape, self.shape, dims, place)
        if self.dtype is not None:
            yield from self._mistyped(found, self.dtype)
        n = found.array.shape[0] if found.array.ndim else 1
        if self.at_least is not None and n < self.at_least:
            yield f"has {_count(n, 'sample')}; at least {self.at_least:,} are declared."

    def _mistyped(self, found: Converted, wanted: str) -> Iterator[str]:
        if wanted in _KINDS:
            if found.array.dtype.kind not in _KINDS[wanted]:
                yield f"is {found.dtype or name_of(found.array)}; {wanted} is declared."
        elif not found.dtype:  # plain numbers: their kind must do, and a whole number is a float as well
            kind = np.dtype(wanted).kind
            if found.array.dtype.kind not in {"f": "fiu", "u": "iu"}.get(kind, kind + "u"):
                yield f"holds {name_of(found.array)}; {wanted} is declared."
        elif found.dtype != wanted:
            yield f'is {found.dtype}; {wanted} is declared. `.astype("{wanted}")` converts an array.'

    # ---- values ----

    def _of_values(self, array: AnyArray) -> Iterator[str]:
        absent = _absent(array)
        if not self.missing and absent.any() and array.size == 1:
            yield "is missing (NaN, None or empty)."
        elif not self.missing and absent.any():
            yield f"has {_count(int(absent.sum()), 'missing value')} (NaN, None or empty){_first(absent)}."
        present = array if not absent.any() else array[~absent]
        if self.finite and array.dtype.kind == "f":
            infinite = np.isinf(array)
            if infinite.any():
                yield f"has {_count(int(infinite.sum()), 'infinite value')}{_first(infinite)}."
        if self.range is not None and present.size:
            yield from self._outside(array, absent, self.range)
        if self.values is not None:
            yield from self._undeclared(array, absent)
        if self.unique and present.size:
            yield from _repeated(present)
        if self.each_at_least is not None or self.balance is not None:
            yield from self._rare(present)

    def _outside(self, array: AnyArray, absent: AnyArray, limits: tuple[float | None, float | None]) -> Iterator[str]:
        if array.dtype.kind not in "fiub":
            yield "holds no numbers, though a range is declared."
            return
        low, high = limits
        outside = np.zeros(array.shape, bool)
        if low is not None:
            outside |= array < low
        if high is not None:
            outside |= array > high
        outside &= ~absent
        if not outside.any():
            return
        least, most = _number(array[~absent].min()), _number(array[~absent].max())
        wanted = f"{'−∞' if low is None else _number(low)} to {'∞' if high is None else _number(high)}"
        if array.size == 1:
            yield f"is {least}; {wanted} is declared."
            return
        hint = ""
        if (low, high) == (0, 1) and 1 < array[~absent].max() <= 255 and array[~absent].min() >= 0:
            hint = " Were pixels not divided by 255?"
        yield (
            f"goes from {least} to {most}, and {wanted} is declared: {int(outside.sum()):,} of {array.size:,} values "
            f"lie outside{_first(outside)}.{hint}"
        )

    @cached_property
    def _known(self) -> frozenset[Any]:
        return frozenset(self.values or ())

    def _undeclared(self, array: AnyArray, absent: AnyArray) -> Iterator[str]:
        found, counts = np.unique(array[~absent], return_counts=True)
        strange = [(value.item(), int(n)) for value, n in zip(found, counts, strict=True) if value not in self._known]
        if strange:
            shown = ", ".join(f"{value!r} ({n:,} times)" for value, n in strange[:_SHOWN])
            more = f" and {len(strange) - _SHOWN:,} others" if len(strange) > _SHOWN else ""
            if array.size == 1:
                yield f"is {strange[0][0]!r}; {_listed(self.values or ())} are declared."
                return
            place = _first((array == strange[0][0]) & ~absent)
            yield f"holds {shown}{more}, which {_listed(self.values or ())} do not include{place}."

    def _rare(self, present: AnyArray) -> Iterator[str]:
        found, counts = np.unique(present, return_counts=True)
        known = {value.item(): int(n) for value, n in zip(found, counts, strict=True)}
        times = {value: known.get(value, 0) for value in (self.values if self.values is not None else known)}
        if not times:
            return
        rarest, commonest = min(times, key=lambda v: times[v]), max(times, key=lambda v: times[v])
        if self.each_at_least is not None and times[rarest] < self.each_at_least:
            few = [value for value, n in times.items() if n < self.each_at_least]
            told = ", ".join(f"{value!r} ({times[value]:,} times)" for value in few[:_SHOWN])
            yield f"holds {told} too rarely; at least {self.each_at_least:,} of each are declared."
        if self.balance is not None and times[rarest] < self.balance * times[commonest]:
            yield (
                f"is out of balance: {rarest!r} occurs {times[rarest]:,} times and {commonest!r} "
                f"{times[commonest]:,} times; a part of at least {self.balance:g} is declared."
            )


def _misfit(shape: tuple[int, ...], wanted: Shape, dims: Dims, place: str) -> Iterator[str]:
    told = _told_shape(wanted)
    if len(shape) != len(wanted):
        hint = " Is the axis of the samples missing?" if shape == wanted[1:] else ""
        if shape[:1] and shape[1:] == wanted:
            hint = " Is this a whole batch?"
        yield f"has the shape {_told_shape(shape)}, {_count(len(shape), 'axis')}; {told} is declared.{hint}"
        return
    for size, name in zip(shape, wanted, strict=True):
        if isinstance(name, int):
            if size != name:
                fixed = [each for each in wanted if isinstance(each, int)]
                turned = sorted(shape[-len(fixed) :]) == sorted(fixed)
                hint = " Are the axes in another order?" if turned else ""
                yield f"has the shape {_told_shape(shape)}; {told} is declared.{hint}"
                return
        else:
            known, first = dims.setdefault(name, (size, place))
            if known != size:
                yield f"has {name} = {size:,}, but {first} has {name} = {known:,}."
                return


def _absent(array: AnyArray) -> AnyArray:
    if array.dtype.kind == "f":
        return np.asarray(np.isnan(array))
    if array.dtype.kind == "O":
        return np.asarray(np.frompyfunc(_is_absent, 1, 1)(array)).astype(bool)
    if array.dtype.kind in "US":
        return np.asarray(np.char.str_len(array) == 0)
    return np.zeros(array.shape, bool)


def _is_absent(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _repeated(present: AnyArray) -> Iterator[str]:
    found, counts = np.unique(present, return_counts=True)
    often = [(value.item(), int(n)) for value, n in zip(found, counts, strict=True) if n > 1]
    if often:
        shown = ", ".join(f"{value!r} ({n:,} times)" for value, n in often[:_SHOWN])
        yield f"must not hold a value twice, but {_count(len(often), 'value')} do: {shown}."


def _first(mask: AnyArray) -> str:
    if not mask.ndim:
        return ""
    place = np.unravel_index(int(mask.argmax()), mask.shape)
    return f", the first at [{', '.join(str(int(index)) for index in place)}]"


def _listed(values: Collection[Any]) -> str:
    if isinstance(values, range) and values.step == 1 and len(values) > 2:
        return f"{values[0]} to {values[-1]}"
    shown = [repr(value) for value in list(values)[:8]]
    return ", ".join(shown) + (", …" if len(values) > 8 else "")


def _told_shape(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(str(size) for size in shape)}{',' * (len(shape) == 1)})"


def _count(n: int, noun: str) -> str:
    plural = "axes" if noun == "axis" else f"{noun}s"
    return f"{n:,} {noun if n == 1 else plural}"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else f"{value:,}"
