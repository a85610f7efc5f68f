"""Times and sizes as people write them: `2h`, `1h30m`, `90s`; `20GB`, `512MiB`."""

import re

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_BYTES = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B)")


def parse_duration_s(text: str) -> float:
    """Give the seconds of `2h`, `1h30m`, `90s` or `0.5d`; a plain number is seconds.

    Raises:
        ValueError: it is no duration above 0; the message says how one is written.
    """
    compact = text.replace(" ", "").lower()
    if _DURATION.fullmatch(compact):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([\d.]+)([dhms])", compact))
    else:
        seconds = _number(compact)
    if not seconds > 0:
        raise ValueError(f"'{text}' is no duration. Write it as 2h, 30m, 90s or 1h30m")
    return seconds


def parse_size_bytes(text: str) -> int:
    """Give the bytes of `20GB` (thousands) or `20GiB` (1024s).

    Raises:
        ValueError: it is no size; the message says how one is written.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is no size. Write it as 20GB, 512MB or 16GiB")
    return int(float(found[1]) * _BYTES[found[2]])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
