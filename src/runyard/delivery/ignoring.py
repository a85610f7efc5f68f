"""Which files get into an image: the patterns of a .dockerignore, read as Docker reads them.

It is read here, and the context is laid out in a folder of its own, so that all engines see the same files, wherever
each of them looks for the list.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path


class Ignored:
    """The patterns of a file; the last one that fits a path or a folder above it decides."""

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[re.Pattern[str], bool]] = []
        for line in text.splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            is_kept = pattern.startswith("!")
            self._rules.append((_compiled(pattern.removeprefix("!").strip()), is_kept))

    def __contains__(self, path: str) -> bool:
        """Whether a path (relative, with /) is left out."""
        parts = path.split("/")
        prefixes = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        is_out = False
        for pattern, is_kept in self._rules:
            if is_out == is_kept and any(pattern.fullmatch(prefix) for prefix in prefixes):
                is_out = not is_kept
        return is_out

    def left(self, root: Path) -> Iterator[str]:
        """All files below a folder that are not left out, sorted; links are not followed, and left out."""
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                relative = path.relative_to(root).as_posix()
                if not path.is_symlink() and relative not in self:
                    yield relative


def _compiled(pattern: str) -> re.Pattern[str]:
    text = pattern.strip("/").removeprefix("./")
    out, at = "", 0
    while at < len(text):
        sign = text[at]
        if text.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif text.startswith("**", at):
            out, at = out + ".*", at + 2
        elif sign == "*":
            out, at = out + "[^/]*", at + 1
        elif sign == "?":
            out, at = out + "[^/]", at + 1
        elif sign == "[" and (end := text.find("]", at + 2)) > 0:
            inner = text[at + 1 : end].replace("\\", "\\\\")
            out, at = out + f"[{inner}]", end + 1
        elif sign == "\\" and at + 1 < len(text):
            out, at = out + re.escape(text[at + 1]), at + 2
        else:
            out, at = out + re.escape(sign), at + 1
    return re.compile(out)
