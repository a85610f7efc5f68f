"""Rows of `config show`, `diff` and `keys`."""

from typing import Any

from runyard.config import expand
from runyard.config.views import ABSENT, diff_configs, list_keys, show_config


def test_show_tells_value_default_and_source(default: Any) -> None:
    (run,) = expand(default, base={"epochs": 20}, command_line=["optim.kind=sgd", "model.dropout=0"])
    rows = {row.key: row for row in show_config(run.config, default, run.sources)}

    assert (rows["epochs"].value, rows["epochs"].default, rows["epochs"].source) == (20, 10, "file")
    assert (rows["optim.kind"].source, rows["optim.kind"].changed) == ("command line", True)
    assert rows["optim.momentum"].default is ABSENT
    assert (rows["model.dropout"].source, rows["model.dropout"].changed) == ("command line", False)
    assert (rows["seed"].source, rows["seed"].changed) == ("default", False)


def test_diff_lists_only_what_differs(default: Any) -> None:
    sgd = default.replace({"optim.kind": "sgd", "epochs": 3})
    diff = diff_configs([default, sgd.to_dict()])

    assert {row.key: row.values for row in diff.rows} == {
        "epochs": (10, 3),
        "optim.kind": ("adam", "sgd"),
        "optim.lr": (0.001, 0.01),
        "optim.beta2": (0.999, ABSENT),
        "optim.momentum": (ABSENT, 0.9),
    }
    assert diff.n_keys == 16
    assert str(ABSENT) == "-"


def test_diff_tells_changed_types() -> None:
    diff = diff_configs([{"a": 1, "b": 1, "c": None}, {"a": "1", "b": 1.5, "c": 2}])

    assert {row.key: row.type_changed for row in diff.rows} == {"a": True, "b": False, "c": False}


def test_keys_of_every_kind_are_listed(default: Any) -> None:
    rows = list_keys(default, "optim.*")

    assert [(row.key, row.kinds, row.default) for row in rows] == [
        ("optim.kind", (), "adam"),
        ("optim.lr", ("optim.kind=adam",), 0.001),
        ("optim.lr", ("optim.kind=sgd",), 0.01),
        ("optim.beta2", ("optim.kind=adam",), 0.999),
        ("optim.momentum", ("optim.kind=sgd",), 0.9),
    ]


def test_keys_tell_type_help_and_identity(default: Any) -> None:
    rows = {row.key: row for row in list_keys(default)}

    assert (rows["epochs"].type, rows["epochs"].help) == ("int >= 1", "passes over the training data")
    assert rows["model.dropout"].type == "float >= 0 and < 1"
    assert rows["model.patch"].type == "int | None"
    assert not rows["data.num_workers"].identity
