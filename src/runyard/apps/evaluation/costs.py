"""What the two ways of being wrong cost, in the customer's words."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from runyard.errors import UsageError

_UNIT = re.compile(r"(?P<unit>.*?)\s*(?:\bper|\bpro|\bje|/)\s*(?P<per>[\d.,' ]*)\s*(?P<things>\D*)", re.IGNORECASE)
_DEFAULT_PER = 1000


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The price of a miss and of a false alarm.

    Attributes:
        missed_name, alarm_name: as the customer calls them.
        missed, alarm: what one of them costs, at least 0.
        unit: of the costs: "€".
        per: of how many things the pages speak: 1000.
        things: what is looked at: "parts".
    """

    missed_name: str = ""
    missed: float = 1.0
    alarm_name: str = ""
    alarm: float = 1.0
    unit: str = ""
    per: int = _DEFAULT_PER
    things: str = ""

    @classmethod
    def of(cls, costs: Mapping[str, float] | None = None, unit: str = "") -> "Costs":
        """Read `{"missed defect": 120, "false alarm": 4}` and "€ per 1000 parts"; the miss comes first.

        Raises:
            UsageError: there are not two costs, or one is no number of at least 0.
        """
        if costs is None:
            name, per, things = _unit(unit)
            return cls(unit=name, per=per, things=things)
        if len(costs) != 2:
            raise UsageError(
                f"There are two ways of being wrong, and costs names {len(costs)}. Name both, the miss first: "
                '{"missed defect": 120, "false alarm": 4}.'
            )
        for name, value in costs.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise UsageError(f"costs says {value!r} for '{name}'. Write what one of them costs: 0 or more.")
        (missed_name, missed), (alarm_name, alarm) = costs.items()
        name, per, things = _unit(unit)
        return cls(
            missed_name=missed_name,
            missed=float(missed),
            alarm_name=alarm_name,
            alarm=float(alarm),
            unit=name,
            per=per,
            things=things,
        )


def _unit(text: str) -> tuple[str, int, str]:
    """ "€ per 1000 parts" as the unit, of how many, of what."""
    found = _UNIT.fullmatch(text.strip())
    if not found:
        return text.strip(), _DEFAULT_PER, ""
    digits = re.sub(r"\D", "", found["per"])
    return found["unit"].strip(), max(int(digits), 1) if digits else 1, found["things"].strip()
