"""`run.py infer`: a model of a run, applied to data with the project's own src/inference.py."""

import csv
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runyard.cli import screen
from runyard.cli.target import find_run
from runyard.client import open_client
from runyard.drafts import drafted
from runyard.errors import MissingExtra, UsageError
from runyard.formulas import guarded
from runyard.project.answers import columns_of
from runyard.project.models import best_run, fetch_model
from runyard.project.project import Project, find_project

_FORMATS = (".csv", ".parquet")


def infer(
    folder: Path, *, run: str | None, model: Path | None, metric: str | None, data: Path, out: Path, device: str
) -> None:
    """Load, predict, write. Everything that can be checked is checked before the model is loaded."""
    project = find_project(folder)
    if (run is None) == (model is None):
        raise UsageError("Say which model to apply: either --run RUN (an id, 'last' or 'best') or --model FOLDER.")
    if not data.exists():
        raise UsageError(f"There is no data at {data} (--data).")
    if out.suffix not in _FORMATS:
        raise UsageError(f"'{out}' is neither .csv nor .parquet; the ending of --out decides the format.")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {out.absolute().parent} to write {out.name} into.")
    if model is not None:
        if not model.is_dir():
            raise UsageError(f"There is no model folder {model} (--model).")
        _apply(project, model, data=data, out=out, device=device)
        return
    client = open_client()
    client.refresh()
    run_id = best_run(client, project, metric) if run == "best" else find_run(client, str(run)).id
    with tempfile.TemporaryDirectory(prefix="runyard-model-") as scratch:
        place = Path(scratch) / "model"
        fetch_model(client, run_id, place)
        screen.say(f"Model of run {run_id} ({client.index.get(run_id).name})")
        _apply(project, place, data=data, out=out, device=device)


def _apply(project: Project, model_folder: Path, *, data: Path, out: Path, device: str) -> None:
    data, out = data.absolute(), out.absolute()
    inference = project.import_module("src.inference")
    for name in ("load", "predict", "read"):
        if not callable(getattr(inference, name, None)):
            raise UsageError(f"{project.root}/src/inference.py has no function '{name}', which infer calls.")
    try:
        found = inference.read(data)
    except (OSError, ValueError) as error:
        raise UsageError(f"{data} cannot be read: {error}") from None
    model = inference.load(model_folder, device)
    outputs = inference.predict(model, [item for _, item in found])
    rows = [{"input": name, **columns_of(output)} for (name, _), output in zip(found, outputs, strict=True)]
    write_table(rows, out)
    screen.say(f"{len(rows)} predictions are in {out}")


def write_table(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Write rows as CSV or Parquet, whole or not at all."""
    with drafted(out) as draft:
        if out.suffix == ".csv":
            _write_csv(rows, draft)
        else:
            _write_parquet(rows, draft)


def _write_csv(rows: Sequence[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(_keys(rows)))
        table.writerow({key: guarded(key) for key in table.fieldnames})
        table.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(extra="parquet", purpose="Writing Parquet") from None
    columns = {key: [_plain(row.get(key)) for row in rows] for key in _keys(rows)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def _keys(rows: Iterable[dict[str, Any]]) -> dict[str, None]:
    return {key: None for row in rows for key in row}


def _plain(value: Any) -> Any:  # a NumPy scalar or array as Python's own
    return value.tolist() if hasattr(value, "tolist") else value


def _cell(value: Any) -> Any:  # a list in a CSV cell is JSON
    plain = _plain(value)
    if isinstance(plain, str):
        return guarded(plain)
    return msgspec.json.encode(plain).decode() if isinstance(plain, list | tuple | dict) else plain
