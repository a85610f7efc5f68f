"""Arrays as inputs: they come as a file, as base64, or as nested lists of numbers, and are checked."""

import base64
import binascii
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

    from runyard.contracts import Array as Declared

_LONGEST_NAME = 200  # characters


class Upload(io.BytesIO):
    """The bytes of a file; in a message it reads as the file's name, of which no more is kept than that."""

    def __init__(self, data: bytes, name: str = "the file") -> None:
        super().__init__(data)
        self.name = _file_name(name)

    def __str__(self) -> str:
        return str(self.name)

    def __repr__(self) -> str:  # decoders quote it in what they raise
        return str(self.name)

    def __format__(self, format_spec: str) -> str:
        return format(self.name, format_spec)


class ArrayInput:
    """Says what an array has to be, as `Input = Annotated[Images, ArrayInput(shape=(8, 8), read=read_image)]`.

    Args:
        declared: what a data contract says of a single sample, e.g. `CONTRACT.image.one`; then the rest but `read` is
            taken from there.
        shape: the length of each dimension, None where any will do; without it every shape is taken.
        dtype: what nested lists become.
        read: makes an array of a file, which it gets open for reading. Without it only nested lists are taken.
        low, high: bounds of all values, themselves included. NaN and infinity are never taken.
    """

    def __init__(
        self,
        declared: "Declared | None" = None,
        *,
        shape: "tuple[int | None, ...] | None" = None,
        dtype: str = "float32",
        read: "Callable[[Any], NDArray[Any]] | None" = None,  # project code takes paths as well as open files
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        self.declared = declared
        self.read = read
        self.shape, self.dtype, self.low, self.high = shape, dtype, low, high
        if declared is not None:
            self._follow(declared)

    def _follow(self, declared: "Declared") -> None:
        import numpy as np

        self.low, self.high = declared.range or (None, None)
        if declared.shape is not None:
            self.shape = tuple(length if isinstance(length, int) else None for length in declared.shape)
        try:
            self.dtype = np.dtype(declared.dtype).name if declared.dtype else self.dtype
        except TypeError:
            pass  # a kind such as "number", which every type of that kind keeps

    def take(self, value: Any) -> "NDArray[Any]":
        """Make the array of whatever came.

        Raises:
            ValueError: it does not fit; the message is a sentence.
        """
        if isinstance(value, str):
            value = Upload(_unpacked(value), "the base64 text") if self.read else _no_file()
        array = self._read(value) if isinstance(value, Upload) else self._listed(value)
        self._check(array)
        return array

    def _read(self, file: Upload) -> "NDArray[Any]":
        if self.read is None:
            _no_file()
        if not file.getbuffer().nbytes:
            raise ValueError(f"{file} is empty.")
        try:
            found = self.read(file)  # type: ignore[misc]  # mypy does not follow _no_file
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as problem:  # decoders raise whatever they like at bytes that are none of theirs
            raise ValueError(f"{file} cannot be read: {_sentence(problem)}") from None
        return found

    def _listed(self, value: Any) -> "NDArray[Any]":
        import numpy as np

        wanted = np.dtype(self.dtype)
        if _has_text(value):  # NumPy would make room for the longest text in each cell
            raise ValueError(f"Its values are not all numbers that fit {wanted.name}.")
        try:
            raw = np.asarray(value)
        except ValueError:
            raise ValueError("The lists are not of equal length.") from None
        if raw.size == 0:
            raise ValueError("There are no numbers in it.")
        if not np.can_cast(raw.dtype, wanted, casting="same_kind") and not (
            raw.dtype.kind in "iu" and wanted.kind in "iu"
        ):
            raise ValueError(f"Its values are not all numbers that fit {wanted.name}.")
        if wanted.kind in "iu" and (int(raw.min()) < np.iinfo(wanted).min or int(raw.max()) > np.iinfo(wanted).max):
            raise ValueError(f"Its values go from {raw.min()} to {raw.max()}, which does not fit {wanted.name}.")
        with np.errstate(over="ignore"):  # what becomes infinite is refused by _check
            return raw.astype(wanted)

    def _check(self, array: "NDArray[Any]") -> None:
        import numpy as np

        if self.declared is not None:
            found = self.declared.problems(array, place="The input")
            if found:
                raise ValueError(" ".join(str(problem) for problem in found))
            return
        if self.shape is not None and (
            array.ndim != len(self.shape)
            or any(want not in (None, have) for want, have in zip(self.shape, array.shape, strict=True))
        ):
            raise ValueError(f"The shape is {_times(array.shape)}; {_times(self.shape)} is wanted.")
        if not np.isfinite(array).all():
            raise ValueError(f"{int((~np.isfinite(array)).sum())} of {array.size} values are NaN or infinite.")
        if (self.low is not None and array.min() < self.low) or (self.high is not None and array.max() > self.high):
            bounds = f"{'…' if self.low is None else self.low} to {'…' if self.high is None else self.high}"
            raise ValueError(f"The values go from {array.min():g} to {array.max():g}; {bounds} is wanted.")

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            self.take, serialization=core_schema.plain_serializer_function_ser_schema(lambda array: array.tolist())
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        lists: dict[str, Any] = {"type": "number" if self.dtype.startswith("float") else "integer"}
        if self.low is not None:
            lists["minimum"] = self.low
        if self.high is not None:
            lists["maximum"] = self.high
        for length in reversed(self.shape or (None,)):
            bounds = {} if length is None else {"minItems": length, "maxItems": length}
            lists = {"type": "array", "items": lists, **bounds}
        if self.read is None:
            return lists
        return {"anyOf": [{"type": "string", "contentEncoding": "base64", "description": "a file"}, lists]}


def _file_name(text: str) -> str:
    """The last part of whatever a client calls its file; never a path, however a library takes it."""
    name = "".join(char for char in re.split(r"[/\\]", text)[-1] if char.isprintable())
    return "the file" if name in ("", ".", "..") else name[:_LONGEST_NAME]


def _has_text(value: Any) -> bool:
    """Whether nested lists hold a text somewhere."""
    if not isinstance(value, list):
        return isinstance(value, str)
    kinds = set(map(type, value))
    return str in kinds or (list in kinds and any(_has_text(each) for each in value))


def _no_file() -> Any:
    raise ValueError("It is no nested list of numbers, and files are not taken here.")


def _unpacked(text: str) -> bytes:
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("The text is no base64.") from None


def _times(shape: tuple[int | None, ...]) -> str:
    return " × ".join("any" if length is None else str(length) for length in shape) or "a single number"


def _sentence(problem: Exception) -> str:
    text = (str(problem).splitlines() or [""])[0] or type(problem).__name__
    if text.startswith("cannot identify image file"):  # Pillow goes on with an address in memory
        text = "it is no image of a known format"
    return text if text.endswith((".", "!", "?")) else f"{text}."
