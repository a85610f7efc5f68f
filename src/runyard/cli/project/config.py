"""`run.py config show|diff|keys`: settings, where they come from, and what differs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runyard.cli import screen
from runyard.cli.tables import Cell, Column, lay_out
from runyard.client import open_client
from runyard.config import expand
from runyard.config.experiment import load_experiment
from runyard.config.views import ABSENT, diff_configs, list_keys, show_config
from runyard.errors import UsageError
from runyard.project.project import find_project


def show(folder: Path, overrides: list[str], *, config: Path | None, json: bool) -> None:
    """Final values with the source of each."""
    found = find_project(folder).load_config()
    if config:
        plan = load_experiment(config, found.declared).expand(command_line=overrides)
    else:
        plan = expand(found.declared, None, command_line=overrides)
    if len(plan) > 1:
        raise UsageError(f"These settings make {len(plan)} configs. `run.py train … --dry --names` shows them.")
    rows = show_config(plan[0].config, found.default, plan[0].sources)
    if json:
        _say_json(
            [
                {"key": row.key, "value": _plain(row.value), "default": _plain(row.default), "source": row.source}
                for row in rows
            ]
        )
        return
    screen.say("default < --config file < grid < command line")
    cells = [
        [
            Cell(row.key, "bold" if row.changed else ""),
            Cell(_text(row.value), "yellow" if row.changed else ""),
            Cell(_text(row.default) if row.changed else "", "dim"),
            Cell(row.source if row.source != "default" else "", "dim"),
        ]
        for row in rows
    ]
    _say_table(["key", "value", "default", "source"], cells)


def diff(folder: Path, names: list[str], *, json: bool) -> None:
    """Only what differs between runs or config files."""
    if len(names) < 2:
        raise UsageError("Two runs or config files, or more, can be compared: run.py config diff RUN RUN")
    found = diff_configs([_config_of(folder, name) for name in names])
    if json:
        _say_json([{"key": row.key, "values": [_plain(value) for value in row.values]} for row in found.rows])
        return
    cells = [
        [
            Cell(row.key, "bold"),
            *(Cell(_text(value)) for value in row.values),
            Cell("another type" if row.type_changed else "", "dim"),
        ]
        for row in found.rows
    ]
    if cells:
        _say_table(["key", *names, ""], cells)
    screen.say(f"{len(found.rows)} of {found.n_keys} keys differ.")


def keys(folder: Path, pattern: str, *, json: bool) -> None:
    """Every key with type, default and help."""
    rows = list_keys(find_project(folder).load_config().default, pattern)
    if json:
        _say_json(
            [
                {
                    "key": row.key,
                    "type": row.type,
                    "default": _plain(row.default),
                    "help": row.help,
                    "kinds": row.kinds,
                    "identity": row.identity,
                }
                for row in rows
            ]
        )
        return
    if not rows:
        raise UsageError(f"No key matches '{pattern}'. `run.py config keys` lists them all.")
    cells = [
        [
            Cell(row.key, "bold"),
            Cell(row.type),
            Cell(_text(row.default)),
            Cell(" ".join([row.help, *(f"[{kind}]" for kind in row.kinds)]).strip(), "dim"),
        ]
        for row in rows
    ]
    _say_table(["key", "type", "default", "help"], cells)


def _config_of(folder: Path, name: str) -> Mapping[str, Any]:
    path = Path(name)
    if path.is_file():
        plan = load_experiment(path, find_project(folder).load_config().declared).expand()
        if len(plan) > 1:
            raise UsageError(f"{path} makes {len(plan)} configs; only files of one config can be compared.")
        stored: dict[str, Any] = plan[0].config.model_dump(mode="json")
        return stored
    client = open_client()
    client.refresh()
    return client.index.get(client.index.resolve(name)).config


def _plain(value: Any) -> Any:  # any value of a config
    return None if value is ABSENT else value


def _text(value: Any) -> str:  # any value of a config
    if value is None or value is ABSENT:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _say_table(titles: Sequence[str], cells: list[list[Cell]]) -> None:
    columns = [Column(title, is_vital=title == "key") for title in titles]
    for line in lay_out(columns, cells, width=screen.width() if screen.is_terminal() else None).lines:
        screen.say(line)


def _say_json(rows: Any) -> None:
    screen.say(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
