"""What is wrong with data: where, and a sentence that says what to look at."""

from collections.abc import Sequence
from typing import NamedTuple

from runyard.errors import ContractBroken

_MOST_TOLD = 5


class Problem(NamedTuple):
    """One thing that data do not keep of their contract.

    `place` names the field (`image`, `customers.age`), `sentence` goes on from there: "has 3 missing values …".
    """

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place} {self.sentence}"


def require_none(problems: Sequence[Problem], *, what: str) -> None:
    """Do nothing if there are no problems.

    Raises:
        ContractBroken: there are; the message tells the first five.
    """
    if problems:
        told = " ".join(str(problem) for problem in problems[:_MOST_TOLD])
        left = len(problems) - _MOST_TOLD
        more = f" And {left} more." if left > 0 else ""
        raise ContractBroken(f"{what} break{'s' * what.startswith('The value')} the contract: {told}{more}", problems)
