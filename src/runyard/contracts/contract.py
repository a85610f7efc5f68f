"""A contract: named fields that belong together, such as images and their labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from runyard.contracts.array import Array, Dims
from runyard.contracts.boxes import Boxes
from runyard.contracts.problems import Problem, require_none
from runyard.contracts.series import Series
from runyard.contracts.table import Table

Declared = Array | Table | Series | Boxes


class Contract:
    """What the data of a project look like. Declare a class, and use one object of it everywhere:

        class Digits(Contract):
            image = Array(("n", 8, 8), dtype="float32", range=(0, 1))
            label = Array(("n",), dtype="int64", values=range(10))

        CONTRACT = Digits()
        CONTRACT.check({"image": images, "label": labels})          # in a training
        CONTRACT.only("image").one.problems({"image": image})       # in a service, for one sample

    A size that is called `n` in two fields must be the same in both.
    """

    def __init__(self, **fields: Declared) -> None:
        """Take the fields of the class, and those given by name besides."""
        declared = {name: value for kind in reversed(type(self).__mro__) for name, value in vars(kind).items()}
        self._fields = {name: value for name, value in declared.items() if isinstance(value, Declared)} | fields
        for name, field in fields.items():
            setattr(self, name, field)

    @property
    def fields(self) -> Mapping[str, Declared]:
        """The fields by name, in the order of their declaration."""
        return self._fields

    @property
    def one(self) -> "Contract":
        """The contract of a single sample: every field without the axis of the samples."""
        return Contract(**{name: field.one for name, field in self._fields.items()})

    def only(self, *names: str) -> "Contract":
        """The contract of some of the fields.

        Raises:
            KeyError: there is no such field.
        """
        return Contract(**{name: self._fields[name] for name in names})

    def schema(self) -> dict[str, Any]:
        """What a mapping by field is as a JSON schema; what the field is, if there is a single one. Boxes have none."""
        fields = {name: field.schema() for name, field in self._fields.items() if not isinstance(field, Boxes)}
        if len(self._fields) == 1:
            return next(iter(fields.values()), {})
        return {"type": "object", "properties": fields, "required": list(fields)}

    def problems(self, batch: Any) -> list[Problem]:
        """Everything that a batch does not keep; empty if it is as declared.

        Args:
            batch: a mapping by field, an object with such attributes, or a tuple of values in the order of the fields.
                The value itself, if there is a single field.
        """
        given = self._by_name(batch)
        if given is None:
            names = ", ".join(self._fields)
            return [Problem("batch", f"is {_told(batch)}; {names} are declared, by name or in this order.")]
        dims: Dims = {}
        found: list[Problem] = []
        for name, field in self._fields.items():
            if name in given:
                found += field.problems(given[name], place=name, dims=dims)
            else:
                found.append(Problem(name, "is missing."))
        return found

    def check(self, batch: Any, *, what: str = "The data") -> None:
        """Do nothing if the batch is as declared.

        Raises:
            ContractBroken: it is not; the message says where and what to look at.
        """
        require_none(self.problems(batch), what=what)

    def _by_name(self, batch: Any) -> Mapping[str, Any] | None:
        if isinstance(batch, Mapping):
            (first, field), *others = self._fields.items() or [("", None)]
            is_itself = not others and isinstance(field, Table | Series) and first not in batch
            return {first: batch} if is_itself else batch
        if all(hasattr(batch, name) for name in self._fields):
            return {name: getattr(batch, name) for name in self._fields}
        if isinstance(batch, Sequence) and not isinstance(batch, str) and len(batch) == len(self._fields) > 1:
            return dict(zip(self._fields, batch, strict=True))
        if len(self._fields) == 1 and not isinstance(batch, str):
            return {next(iter(self._fields)): batch}
        return None


def _told(batch: object) -> str:
    if isinstance(batch, Sequence) and not isinstance(batch, str):
        return f"{type(batch).__name__} of {len(batch)}"
    return f"one {type(batch).__name__}"
