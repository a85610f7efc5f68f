"""`batch IN OUT`: predictions for a folder, with the code that answers requests; what was cut off goes on where it was.

Beside the table lies `progress.jsonl`: a line for each file that was done, with the model that did it. A file that
has not changed since is not predicted again; one that failed is.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from runyard.errors import UsageError
from runyard.serve.computing import Computer
from runyard.serve.interface import JSON
from runyard.serve.refusals import Refused
from runyard.serve.service import Service
from runyard.serve.table import columns, read_rows, write_table

PROGRESS = "progress.jsonl"
ERRORS = "errors.csv"
_TABLES = (".csv", ".json", ".jsonl", ".parquet")
_BESIDE = (*_TABLES, ".txt", ".md", ".yaml", ".yml", ".toml", ".xml", ".html", ".log")  # lie beside images, are none
_TELL_EVERY_S = 2.0


@dataclass
class Outcome:
    """What became of one file: its rows, and what failed."""

    file: str
    mark: list[int]  # size in bytes and time of change in ns
    rows: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    def line(self) -> str:
        return json.dumps(vars(self), ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Place:
    """Where the results go."""

    table: Path
    progress: Path
    errors: Path

    @classmethod
    def of(cls, out: Path) -> "Place":
        """`out` is a folder, or a file that ends in .csv or .parquet.

        Raises:
            UsageError: it is a file that ends in something else.
        """
        if out.suffix in (".csv", ".parquet"):
            table, others = out, f"{out.stem}."
        elif out.is_file():
            raise UsageError(
                f"{out} is a file that ends neither in .csv nor in .parquet. Name such a file, or a folder."
            )
        else:
            table, others = out / "predictions.csv", ""
        table.parent.mkdir(parents=True, exist_ok=True)
        return cls(table, table.with_name(others + PROGRESS), table.with_name(others + ERRORS))


def predict_folder(service: Service, computer: Computer, model_id: str, inputs: Path, out: Path) -> tuple[int, int]:
    """Predict everything in a folder, or one file; return how many predictions there are, and how many inputs failed.

    Raises:
        UsageError: there is nothing to predict, or no place for the results.
        MissingExtra: Parquet without pyarrow.
    """
    files, root = _files(service, inputs)
    place = Place.of(out)
    known = _known(place.progress, model_id)
    waiting = [path for path in files if not _is_done(known.get(_name(path, root)), path)]
    if len(waiting) < len(files):
        print(f"{len(files) - len(waiting)} of {len(files)} files are done already.", file=sys.stderr)
    with place.progress.open("a" if known else "w", encoding="utf-8") as journal, _Progress(len(waiting)) as progress:
        if not known:
            journal.write(json.dumps({"model": model_id}) + "\n")
        for outcome in _outcomes(service, computer, waiting, root):
            known[outcome.file] = outcome
            journal.write(outcome.line())
            journal.flush()
            progress.add()
    done = [known[_name(path, root)] for path in files]
    rows = [row for outcome in done for row in outcome.rows]
    errors = [error for outcome in done for error in outcome.errors]
    write_table(rows, place.table, names=("input",))
    write_table(errors, place.errors, names=("input", "error"))
    return len(rows), len(errors)


def _files(service: Service, inputs: Path) -> tuple[list[Path], Path]:
    if inputs.is_file():
        return [inputs], inputs.parent
    if not inputs.is_dir():
        raise UsageError(f"There is nothing at {inputs} to predict.")
    found = sorted(path for path in inputs.rglob("*") if path.is_file() and not path.name.startswith("."))
    if service.interface.takes_files:
        wanted = [path for path in found if path.suffix.lower() not in _BESIDE]
    else:
        wanted = [path for path in found if path.suffix.lower() in _TABLES]
    if not wanted:
        kinds = "files such as images" if service.interface.takes_files else f"{', '.join(_TABLES)} files"
        raise UsageError(f"{inputs} holds no {kinds} to predict.")
    return wanted, inputs


def _outcomes(service: Service, computer: Computer, files: list[Path], root: Path) -> Iterator[Outcome]:
    """Outcomes in the order of the files; inputs of several files go through the model together."""
    pending: list[tuple[Outcome, list[tuple[str, Any]]]] = []
    for path in files:
        outcome = Outcome(_name(path, root), _mark(path))
        pending.append((outcome, list(_read(service, path, outcome))))
        if sum(len(values) for _, values in pending) >= service.batch_size:
            yield from _predicted(service, computer, pending)
            pending = []
    yield from _predicted(service, computer, pending)


def _predicted(
    service: Service, computer: Computer, pending: list[tuple[Outcome, list[tuple[str, Any]]]]
) -> Iterator[Outcome]:
    values = [value for _, named in pending for _, value in named]
    answers: list[Any] = []
    for start in range(0, len(values), service.batch_size):
        answers += computer.documents(values[start : start + service.batch_size])
    for outcome, named in pending:
        mine, answers = answers[: len(named)], answers[len(named) :]
        for (name, _), answer in zip(named, mine, strict=True):
            if isinstance(answer, Exception):
                outcome.errors.append({"input": name, "error": str(answer)})
            else:
                outcome.rows.append({"input": name, **columns(answer)})
        yield outcome


def _read(service: Service, path: Path, outcome: Outcome) -> Iterator[tuple[str, Any]]:
    """The inputs of a file by name; what cannot be read becomes an error of the outcome."""
    try:
        raw = _raw(service, path, outcome.file)
    except Exception as problem:  # a project's own reader, or a damaged file
        outcome.errors.append({"input": outcome.file, "error": str(problem) or type(problem).__name__})
        return
    for name, value in raw:
        try:
            yield name, value() if callable(value) else service.interface.checked(value)
        except Refused as refusal:
            outcome.errors.append({"input": name, "error": str(refusal)})


def _raw(service: Service, path: Path, name: str) -> list[tuple[str, Any]]:
    if service.read is not None:
        found = list(service.read(path))
        return [(name if len(found) == 1 else f"{name}#{inner}", value) for inner, value in found]
    if service.interface.takes_files and path.suffix.lower() not in _TABLES:
        data = path.read_bytes()
        return [(name, lambda: service.interface.one(data, "application/octet-stream", path.name))]
    if path.suffix.lower() == ".json" and service.interface.takes_files:
        data = path.read_bytes()
        return [(name, lambda: service.interface.one(data, JSON))]
    rows = read_rows(path)
    return [(name if len(rows) == 1 else f"{name}#{number}", row) for number, row in enumerate(rows, start=1)]


def _known(progress: Path, model_id: str) -> dict[str, Outcome]:
    """What an earlier call has done with the same model; a line that was cut off is passed over."""
    known: dict[str, Outcome] = {}
    try:
        lines = progress.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return known
    for number, line in enumerate(lines):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if number == 0 and found.get("model") != model_id:
            print(f"{progress} is of another model: everything is predicted anew.", file=sys.stderr)
            return {}
        if "file" in found:
            known[found["file"]] = Outcome(**found)
    return known


def _is_done(outcome: Outcome | None, path: Path) -> bool:
    return outcome is not None and not outcome.errors and outcome.mark == _mark(path)


def _mark(path: Path) -> list[int]:
    about = path.stat()
    return [about.st_size, about.st_mtime_ns]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


class _Progress:
    """Says now and then how far it is: on one line of a terminal, in lines of a log."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._done = 0
        self._begun = self._told = time.monotonic()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._told > self._begun and self._stream.isatty():
            self._stream.write("\n")

    def add(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._told < _TELL_EVERY_S:
            return
        self._told = now
        left_s = (now - self._begun) / self._done * (self._total - self._done)
        line = f"{self._done} of {self._total} files, {left_s:.0f} s to go"
        self._stream.write(f"\r{line}\x1b[K" if self._stream.isatty() else f"{line}\n")
        self._stream.flush()
