"""What a project's `predict` takes and gives, as its annotations say, and how both travel as bytes.

A request, a golden sample and a file of a folder pass through the same door, so that their answers are equal.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, get_args, get_origin, get_type_hints

import numpy as np
import pydantic_core
from pydantic import BaseModel, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from runyard.errors import UsageError
from runyard.serve.arrays import ArrayInput, Upload
from runyard.serve.multipart import Part, parts
from runyard.serve.refusals import Problem, Refused

JSON = "application/json"
FORM = "multipart/form-data"
MOST_INPUTS = 10_000  # of one request: the model would be busy for others, and a list of ten million fits into 20 MB
MOST_PROBLEMS = 20  # of one request: a caller mends the first few, and the rest often goes with them

Predict = Callable[[Any, list[Any]], Sequence[Any]]  # model and inputs are the project's own


class Contract(Protocol):
    """Anything that finds problems in a value: a data contract of a project, or a function of one's own."""

    def problems(self, value: Any) -> Iterable[Any]:
        """What is wrong with the value: sentences, or things with `place` and `sentence`."""
        ...


class Interface:
    """Input and Output of a project."""

    def __init__(self, predict: Predict, contract: "Contract | Callable[[Any], Iterable[Any]] | None" = None) -> None:
        """Read the annotations of `predict(model, inputs: list[Input]) -> list[Output]`.

        Raises:
            UsageError: it has none, or of a type that cannot be checked.
        """
        taken, given = _annotations(predict)
        self._taken = _with_arrays(taken)
        self._contract = contract
        self.input: TypeAdapter[Any] = _adapter(self._taken, "Input")
        self._given = given
        self.output: TypeAdapter[Any] | None = (
            None if _is_tuple_with_names(given) else _adapter(_with_arrays(given), "Output")
        )
        self._file_fields = _file_fields(self._taken)
        self._find_problems: Callable[[Any], Iterable[Any]] | None = getattr(contract, "problems", contract)  # type: ignore[arg-type]

    @property
    def takes_files(self) -> bool:
        """Whether a file alone can be an input."""
        return self._file_fields is not None

    @property
    def content_types(self) -> tuple[str, ...]:
        """What a request may be."""
        return (JSON, FORM, "image/*", "application/octet-stream") if self.takes_files else (JSON, FORM)

    def one(self, body: bytes, content_type: str, name: str = "") -> Any:
        """The input of a request.

        Raises:
            Refused: it is none; status 400, 415 or 422.
        """
        kind = _kind(content_type)
        if kind == FORM:
            return self.checked(self._of_form(parts(body, content_type)))
        if kind == JSON or kind.endswith("+json"):
            return self.checked(_json(body))
        return self.checked(self._of_file(body, kind, name))

    def many(self, body: bytes, content_type: str) -> list[Any]:
        """The inputs of a request for several: a JSON list, or a form with several files.

        Raises:
            Refused: one of them is none; the problems say which.
        """
        kind = _kind(content_type)
        if kind == FORM and self.takes_files:
            found: Any = [self._of_form([part]) for part in parts(body, content_type)]
        elif kind == JSON or kind.endswith("+json"):
            found = _json(body)
        else:
            raise Refused(
                f"Several inputs come as a JSON list{' or a form' * self.takes_files}, not as '{kind[:80]}'.",
                status=415,
            )
        if not isinstance(found, list):
            raise Refused("Several inputs come as a JSON list; this is none.")
        if not found:
            raise Refused("The list is empty: send at least one input.")
        if len(found) > MOST_INPUTS:
            raise Refused(f"The list has {len(found):,} inputs; send at most {MOST_INPUTS:,} at once.", status=413)
        return [self.checked(each, f"[{number}]") for number, each in enumerate(found)]

    def checked(self, raw: Any, place: str = "") -> Any:
        """An input that fits its type and the data contract.

        Raises:
            Refused: it does not, with the reasons; status 422.
        """
        try:
            value = self.input.validate_python(raw)
        except ValidationError as error:
            raise _refused(
                [_told(detail, place) for detail in error.errors(include_url=False, include_input=False)]
            ) from None
        except RecursionError:
            raise Refused("The input is nested too deeply.") from None
        found = [Problem(_join(place, at), "The number is NaN or infinite.") for at in _not_finite(value)]
        if not found and self._find_problems is not None:
            found = [_as_problem(each, place) for each in self._find_problems(value)]
        if found:
            raise _refused(found)
        return value

    def encoded_input(self, value: Any) -> bytes:
        """An input as JSON, which `one` takes again."""
        return self.input.dump_json(value)

    def document(self, output: Any) -> Any:
        """An output as it reads in JSON: mappings, lists, texts and numbers.

        Raises:
            Refused: it holds NaN or infinity, which is no answer.
        """
        document = self._plain(output)
        if places := list(_not_finite(document)):
            where = f" in '{places[0]}'" if places[0] else ""
            raise Refused(f"The model has no answer to this input: it gives NaN or infinity{where}.")
        return document

    def _plain(self, output: Any) -> Any:
        if _is_tuple_with_names(type(output)):
            output = output._asdict()
        if self.output is not None:
            output = self.output.dump_python(output, warnings=False)
        return _plain(output)

    def schema(self) -> dict[str, Any]:
        """Input and output as JSON schemas."""
        return {"input": self._input_schema(), "output": self._output_schema()}

    def _input_schema(self) -> dict[str, Any]:
        """That of the type; of rows and series, whose type says little, that of the contract."""
        if get_origin(self._taken) is dict and callable(told := getattr(self._contract, "schema", None)):
            found: dict[str, Any] = told()
            return found
        return self.input.json_schema(mode="validation")

    def _output_schema(self) -> dict[str, Any]:
        if self.output is not None:
            return self.output.json_schema(mode="serialization")
        hints = get_type_hints(self._given)
        fields = {name: TypeAdapter(hint).json_schema() for name, hint in hints.items()}
        return {"type": "object", "title": self._given.__name__, "properties": fields, "required": list(fields)}

    def _of_file(self, body: bytes, kind: str, name: str) -> Any:
        is_file = kind.startswith("image/") or kind == "application/octet-stream"
        if not (self.takes_files and is_file):
            accepted = ", ".join(self.content_types)
            raise Refused(f"'{kind[:80] or 'no content type'}' is not taken. Send one of: {accepted}.", status=415)
        return self._in_field(Upload(body, name or "the file"))

    def _in_field(self, upload: Upload) -> Any:
        return {self._file_fields: upload} if self._file_fields else upload

    def _of_form(self, found: list[Part]) -> Any:
        files = [part for part in found if part.filename is not None]
        if self._file_fields == "" or (len(found) == 1 and files and self.takes_files):
            if len(files) != 1:
                raise Refused(f"The form holds {len(files)} files; one is wanted.")
            return self._in_field(Upload(files[0].data, files[0].filename or "the file"))
        return {
            part.name: Upload(part.data, part.filename) if part.filename is not None else part.text for part in found
        }


def _annotations(predict: Predict) -> tuple[Any, Any]:
    try:
        hints = get_type_hints(predict, include_extras=True)
    except Exception as error:  # names that do not exist, in code that is not ours
        raise UsageError(f"The annotations of {predict.__name__} cannot be understood: {error}") from None
    given = hints.pop("return", None)
    taken = next((hint for hint in hints.values() if get_origin(hint) is list), None)
    if taken is None or get_origin(given) is not list:
        raise UsageError(
            f"{predict.__module__}.{predict.__name__} does not say what it takes and gives. "
            "Write: def predict(model: Model, inputs: list[Input]) -> list[Output]"
        )
    return get_args(taken)[0], get_args(given)[0]


def _with_arrays(kind: Any) -> Any:
    """A bare array type, which pydantic does not know, as one that takes nested lists."""
    if get_origin(kind) is np.ndarray or kind is np.ndarray:
        from typing import Annotated

        return Annotated[kind, ArrayInput()]
    return kind


def _adapter(kind: Any, what: str) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{what} of src/inference.py is {kind}, which cannot be checked: {reason} "
            "Make it a pydantic model, or Annotated[…, ArrayInput(…)] for an array."
        ) from None


def _file_fields(kind: Any) -> str | None:
    """The field that a file goes into: "" if the input is the file, None if there is no such field."""
    if _reads_files(getattr(kind, "__metadata__", ())):
        return ""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        found = [name for name, field in kind.model_fields.items() if _reads_files(field.metadata)]
        if len(found) == 1:
            return found[0]
    return None


def _reads_files(metadata: Iterable[Any]) -> bool:
    return any(isinstance(each, ArrayInput) and each.read is not None for each in metadata)


def _is_tuple_with_names(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower() or JSON


def _json(body: bytes) -> Any:
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refused(f"The body is no JSON: {error}.", status=400) from None


def _told(detail: Any, place: str) -> Problem:
    context = detail.get("ctx", {}).get("error")
    sentence = str(context) if context is not None else f"{detail['msg']}."
    return Problem(_join(place, *detail["loc"]), sentence)


def _as_problem(found: Any, place: str) -> Problem:
    if isinstance(found, str):
        return Problem(place, found)
    is_told = getattr(type(found), "__str__", None) is not object.__str__  # it names the place, too
    sentence = str(found) if is_told else str(getattr(found, "sentence", found))
    return Problem(_join(place, str(getattr(found, "place", ""))), sentence)


def _refused(problems: list[Problem]) -> Refused:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    where = f"{first.place}: " if first.place and not first.sentence.startswith(first.place) else ""
    return Refused(f"The input does not fit. {where}{first.sentence}{more}", problems=tuple(problems[:MOST_PROBLEMS]))


def _join(place: str, *names: Any) -> str:
    for name in names:
        if isinstance(name, int):
            place += f"[{name}]"
        elif name != "":
            place += f".{name}" if place else str(name)
    return place


def _not_finite(value: Any, place: str = "") -> Iterable[str]:
    """Where a value holds NaN or infinity. Arrays are left to `ArrayInput`, which has looked."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield place
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _not_finite(getattr(value, name), _join(place, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _not_finite(inner, _join(place, str(name)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _not_finite(inner, _join(place, number))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # a scalar or an array of NumPy
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return pydantic_core.to_jsonable_python(value)
