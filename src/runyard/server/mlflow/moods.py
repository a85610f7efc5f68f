"""Names for runs that their clients gave none."""

import os

_HOW = [
    "amber",
    "brisk",
    "calm",
    "deft",
    "eager",
    "fleet",
    "gentle",
    "hardy",
    "idle",
    "jolly",
    "keen",
    "lucid",
    "merry",
    "nimble",
    "open",
    "proud",
    "quiet",
    "ready",
]
_WHO = [
    "anvil",
    "birch",
    "cedar",
    "dune",
    "ember",
    "fjord",
    "grove",
    "heron",
    "islet",
    "jetty",
    "kestrel",
    "larch",
    "marsh",
    "newt",
    "otter",
    "pine",
    "quarry",
    "wren",
]


def new_name() -> str:
    """Three parts, such as "keen-heron-417"."""
    how, who, *number = os.urandom(4)
    return f"{_HOW[how % len(_HOW)]}-{_WHO[who % len(_WHO)]}-{int.from_bytes(bytes(number), 'big') % 1000}"
