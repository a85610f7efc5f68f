"""Prints what the service itself needs, one requirement a line: the extra `serve`, without all that a whole Runyard brings.

    python -m runyard.serve.needs > needs.txt
"""

import importlib.metadata
import re

_OF_SERVE = re.compile(r"""^(?P<need>[^;]+?)\s*;\s*extra\s*==\s*['"]serve['"]\s*$""")


def needs() -> list[str]:
    """Requirements of the extra `serve`, as they stand in the metadata of the installed package."""
    found = (_OF_SERVE.match(line) for line in importlib.metadata.requires("runyard") or [])
    return [match["need"] for match in found if match]


if __name__ == "__main__":
    print("\n".join(needs()))
