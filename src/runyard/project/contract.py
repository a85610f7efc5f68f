"""The data contract of a project, checked before a training begins.

A project declares it in `src/data_processing/contract.py`: `CONTRACT`, and `sample(config, data)`, which gives what of
the data is to be checked. A project without that file has none.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from runyard.errors import ContractBroken, UsageError

MODULE = "data_processing.contract"
FILE = "data_processing/contract.py"

Sample = Callable[[Any, str | None], Any]  # Any: the project's own config, and whatever its contract takes


class DataContract(NamedTuple):
    """What a project's contract module offers."""

    contract: Any  # a runyard.contracts.Contract, or whatever else has `check`
    sample: Sample

    def check(self, config: Any, data: str | None) -> None:
        """Check the data that a config names; `data` are those of `--data`.

        Raises:
            ContractBroken: they are not what is declared.
        """
        try:
            self.contract.check(self.sample(config, data))
        except ContractBroken as broken:
            broken.__traceback__ = None  # the sentence says all; where it was raised says nothing
            raise


def find_contract(package: str) -> DataContract | None:
    """Import the contract module of a project that can be imported as `package`; None if there is none.

    Raises:
        UsageError: it lacks one of its two names.
    """
    name = f"{package}.{MODULE}" if package else MODULE
    try:
        if find_spec(name) is None:
            return None
    except ModuleNotFoundError:  # not even the folder
        return None
    module = import_module(name)
    contract, sample = getattr(module, "CONTRACT", None), getattr(module, "sample", None)
    if not hasattr(contract, "check") or not callable(sample):
        raise UsageError(
            f"{name.replace('.', '/')}.py is to declare CONTRACT and a function sample(config, data); "
            "without both nothing can be checked."
        )
    return DataContract(contract, sample)
