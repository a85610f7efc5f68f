"""Finding a project and reading its runyard.toml."""

import sys
from pathlib import Path

import pytest

from runyard.errors import ConfigError, ProjectNotFound, UsageError
from runyard.project.project import Direction, check_name, find_project, find_root, load_project

SETTINGS = """\
name = "weld-seam"
entry = "src.train:train"
data_roots = ["data.root"]
retries = 2
grace_s = 5

[metrics]
"val/accuracy" = "max"
"val/loss" = "min"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "weld-seam"
    root.mkdir()
    (root / "run.py").touch()
    (root / "runyard.toml").write_text(SETTINGS)
    return root


def test_project_is_found_from_a_folder_inside_it(root: Path) -> None:
    inside = root / "src" / "models"
    inside.mkdir(parents=True)

    assert find_root(inside) == root


def test_nearest_project_wins(root: Path) -> None:
    inner = root / "inner"
    inner.mkdir()
    (inner / "run.py").touch()
    (inner / "runyard.toml").write_text('name = "inner"\n')

    assert find_project(inner).name == "inner"


def test_folder_outside_of_any_project_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFound, match=r"lies in no project.*runyard new NAME"):
        find_root(tmp_path)


def test_folder_with_settings_but_without_run_py_is_no_project(root: Path) -> None:
    (root / "run.py").unlink()

    with pytest.raises(ProjectNotFound):
        find_root(root)


def test_settings_are_read(root: Path) -> None:
    project = load_project(root)

    assert (project.name, project.entry, project.config_module) == ("weld-seam", "src.train:train", "src.config")
    assert (project.data_roots, project.retries, project.grace_s) == (("data.root",), 2, 5.0)
    assert list(project.metrics.items()) == [("val/accuracy", Direction.MAX), ("val/loss", Direction.MIN)]


def test_empty_settings_have_defaults(root: Path) -> None:
    (root / "runyard.toml").write_text("")

    project = load_project(root)

    assert (project.name, project.entry, project.retries) == ("weld-seam", "src.train:train", 5)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("retrys = 3", r"runyard.toml:2 has no setting 'retrys'. Did you mean 'retries'\?"),
        ("[metric]", r"runyard.toml:2 has no setting 'metric'. Did you mean 'metrics'\?"),
        ("zzz = 3", r"runyard.toml:2 has no setting 'zzz'. There are: name, entry"),
        ("retries = -1", "runyard.toml:2 has retries = -1. Write a whole number"),
        ("retries = true", "has retries = True"),
        ("grace_s = nan", "has grace_s = nan"),
        ("grace_s = 'long'", "has grace_s = 'long'"),
        ("entry = 'src/train.py'", "Write module:function"),
        ("metrics = 3", "needs a table of metrics"),
        ("[metrics]\nloss = 'down'", "runyard.toml:3 says 'down' for the metric 'loss'"),
        ("[metrics]\nloss = ['min']", "says"),
        ("data_roots = 'data.root'", "needs a list of config keys"),
        ("retries = = 3", r"no valid TOML: .*line 2"),
    ],
)
def test_bad_settings_are_refused_with_their_line(root: Path, line: str, complaint: str) -> None:
    (root / "runyard.toml").write_text(f"name = 'weld-seam'\n{line}\n")

    with pytest.raises(UsageError, match=complaint):
        load_project(root)


def test_settings_that_are_no_text_are_refused(root: Path) -> None:
    (root / "runyard.toml").write_bytes(b"name = '\xff'\n")

    with pytest.raises(UsageError, match="no valid TOML"):
        load_project(root)


@pytest.mark.parametrize("name", ["weld-seam", "a", "Weld_2", "9-lives"])
def test_good_names_pass(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "-a", "_a", "a b", "a/b", "..", "größe", "a\n", "x" * 65])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a project"):
        check_name(name)


def test_data_that_is_there_passes(root: Path) -> None:
    (root / "data").mkdir()

    load_project(root).check_data({"data": {"root": "data"}})


@pytest.mark.parametrize("config", [{}, {"data": {"root": None}}, {"data": 3}])
def test_data_that_no_config_names_is_not_looked_for(root: Path, config: dict[str, object]) -> None:
    load_project(root).check_data(config)


def test_missing_data_is_told_with_its_key_before_a_run_starts(root: Path) -> None:
    with pytest.raises(UsageError, match=r"'data.root' names data/train, which is not there"):
        load_project(root).check_data({"data": {"root": "data/train"}})


def test_data_of_the_command_line_replaces_that_of_the_config(root: Path) -> None:
    (root / "other").mkdir()
    project = load_project(root)

    project.check_data({"data": {"root": "missing"}}, "other")
    with pytest.raises(UsageError, match="--data names missing"):
        project.check_data({}, "missing")


def test_config_module_is_loaded_without_a_trace(root: Path) -> None:
    (root / "src").mkdir()
    (root / "src" / "config.py").write_text('DEFAULT = {"lr": 0.1}\nOVERRIDE = {"lr": [0.1, 0.2]}\n')
    modules = set(sys.modules)

    config = load_project(root).load_config()

    assert config.default.lr == 0.1
    assert config.override is not None
    assert "src.config" not in set(sys.modules) - modules


def test_config_module_without_a_default_is_refused(root: Path) -> None:
    (root / "src").mkdir()
    (root / "src" / "config.py").write_text("")

    with pytest.raises(ConfigError, match="has no DEFAULT"):
        load_project(root).load_config()


def test_module_is_imported_for_good(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "code_of_mine").mkdir()
    (root / "code_of_mine" / "inference.py").write_text("ANSWER = 42\n")
    monkeypatch.setattr(sys, "path", list(sys.path))

    module = load_project(root).import_module("code_of_mine.inference")

    assert module.ANSWER == 42
    assert sys.modules.pop("code_of_mine.inference") is module
    del sys.modules["code_of_mine"]
