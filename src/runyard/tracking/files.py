"""Files that training code hands over: copied into the attempt's `files/`, where the supervisor collects them.

They are copied, not linked, since a training goes on writing to its own. A file appears under its name whole.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from runyard.errors import NotFound, UsageError
from runyard.tracking.values import check_name


def check_file_name(name: object) -> str:
    """Return `name` if it can name an artifact: relative, with "/", and never leading out of its folder.

    Raises:
        UsageError: it cannot.
    """
    text = check_name(name, what="file name")
    if text.startswith("/") or any(part in ("", ".", "..") for part in text.split("/")) or "\\" in text:
        raise UsageError(f"{text!r} is no name for an artifact. Use a relative one such as 'predictions/val.csv'.")
    return text


def copy_into(files: Path, source: Path, name: str) -> Iterator[str]:
    """Copy a file, or all files of a folder, to `files/<name>`; yield the name of each as soon as it is there.

    Raises:
        NotFound: there is no such file or folder.
        OSError: it cannot be read, or the disk is full.
    """
    if source.is_dir():
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            inner = f"{name}/{file.relative_to(source).as_posix()}"
            _copy(file, files / inner)
            yield inner
    elif source.is_file():
        _copy(source, files / name)
        yield name
    else:
        raise NotFound(f"{source} does not exist, so it cannot be logged as an artifact.")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(source, draft)
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
