"""What data must look like, declared once: used by tests, before a training, and in the inference service."""

from runyard.contracts.array import Array
from runyard.contracts.boxes import Boxes
from runyard.contracts.contract import Contract
from runyard.contracts.problems import Problem
from runyard.contracts.series import Series
from runyard.contracts.table import Table
from runyard.errors import ContractBroken

__all__ = ["Array", "Boxes", "Contract", "ContractBroken", "Problem", "Series", "Table"]
