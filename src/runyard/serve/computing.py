"""Predicting for several requests at once, so that a bad one does not cost the others their answers."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic_core

from runyard.serve.batching import Answer
from runyard.serve.interface import Interface, Predict
from runyard.serve.refusals import Refused

# What NumPy, scikit-learn and PyTorch raise at an input that they cannot take.
_OF_THE_INPUT = (ValueError, TypeError, IndexError, KeyError, RuntimeError, ArithmeticError)


class Computer:
    """A loaded model as a function from inputs to answers in JSON; it remembers the mean of what it said."""

    def __init__(self, model: Any, predict: Predict, interface: Interface) -> None:
        self._model = model
        self._predict = predict
        self._interface = interface
        self.sums: dict[str, tuple[int, float]] = {}  # by numeric field of the output: how many, and their sum

    def __call__(self, values: list[Any]) -> list[Answer]:
        """An answer for each input: JSON, or why there is none."""
        try:
            outputs = self._outputs(values)
        except Exception as error:  # the request handler: each is answered with what was raised
            if len(values) == 1:
                return [_refusal(error)]
            return [answer for value in values for answer in self([value])]
        return [self._encoded(output) for output in outputs]

    def documents(self, values: list[Any]) -> list[Any]:
        """As the call, but documents instead of bytes."""
        answers = self(values)
        return [each if isinstance(each, Exception) else pydantic_core.from_json(each) for each in answers]

    def _outputs(self, values: list[Any]) -> list[Any]:
        outputs = list(self._predict(self._model, values))
        if len(outputs) != len(values):
            raise AssertionError(f"predict gave {len(outputs)} outputs for {len(values)} inputs.")
        return outputs

    def _encoded(self, output: Any) -> Answer:
        try:
            document = self._interface.document(output)
        except Refused as refusal:
            return refusal
        self._remember(document)
        return pydantic_core.to_json(document)

    def _remember(self, document: Any) -> None:
        for name, value in _numbers(document):
            count, total = self.sums.get(name, (0, 0.0))
            self.sums[name] = (count + 1, total + value)


def _numbers(document: Any) -> Iterator[tuple[str, float]]:
    fields = document.items() if isinstance(document, Mapping) else [("output", document)]
    for name, value in fields:
        if isinstance(value, float) and math.isfinite(value):
            yield str(name), value


def _refusal(error: Exception) -> Exception:
    if isinstance(error, Refused):
        return error
    said = (str(error).splitlines() or [""])[0] or type(error).__name__
    if "out of memory" in said.lower() or isinstance(error, MemoryError):
        return Refused("There is not enough memory for this input now. Try again later.", status=503, retry_after_s=5)
    if isinstance(error, _OF_THE_INPUT):
        return Refused(f"The model cannot take this input: {said}")
    return error
