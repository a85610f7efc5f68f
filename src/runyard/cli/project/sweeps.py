"""`--sweep KEY VALUE VALUE …`: several values without brackets, which some shells want quoted."""

from collections.abc import Sequence


def extract_sweeps(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Take the sweeps out of a command line; return what is left, and each sweep's key and values.

    A sweep ends before the next option or `key=value`; `-1e-3` is a value and no option.
    """
    left: list[str] = []
    sweeps: list[tuple[str, list[str]]] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word != "--sweep":
            left.append(word)
            continue
        key = queue.pop(0) if queue else ""
        values = []
        while queue and not _ends_sweep(queue[0]):
            values.append(queue.pop(0))
        sweeps.append((key, values))
    return left, sweeps


def _ends_sweep(word: str) -> bool:
    if "=" in word:
        return True
    return word.startswith("-") and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
