"""README.md, docs/ and the other pages say what is true: commands, options, links, public names."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import runyard
from runyard import errors
from runyard.cli.app import app
from runyard.cli.project.app import app as project_app
from runyard.cli.project.sweeps import extract_sweeps

CHECKOUT = Path(__file__).parents[1]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("benchmarks/*.md")])
NAMES = [page.relative_to(CHECKOUT).as_posix() for page in PAGES]
OF_A_PROJECT = "template/project/README.md.jinja"
RUNYARD = "runyard "
RUN_PY = "python run.py "
EXPLANATION = re.compile(r"\s{2,}| # | \| | > \S+\.log$| < \S+\.txt$| && ")  # what may stand behind a command
FRONT_DOOR = ("docs/python.md", "docs/tracking.md", "docs/config.md")


def commands(page: str) -> Iterator[str]:
    """Command lines in blocks and between backticks, without what explains them."""
    text = re.sub(r"{{.*?}}", "x", (CHECKOUT / page).read_text())  # what `runyard new` fills in
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines += [" ".join(quoted.split()) for quoted in re.findall(r"`([^`]+)`", prose)]
    for line in lines:
        command = re.split(EXPLANATION, line.strip().removeprefix("$ "))[0]
        if command.startswith((RUNYARD, RUN_PY)) and not command.endswith(" …"):
            yield command


COMMANDS = sorted({(page, command) for page in [*NAMES, OF_A_PROJECT] for command in commands(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_is_understood(page: str, command: str) -> None:
    """It is parsed and not executed."""
    context = parsed(command)

    assert not [option for option in context.args if option.startswith("-")]


def parsed(command: str) -> Any:  # a context of Click, which Typer does not export
    program = RUN_PY if command.startswith(RUN_PY) else RUNYARD
    words = shlex.split(command.removeprefix(program))
    if program == RUN_PY:
        words, _ = extract_sweeps(words)
    found: Any = typer.main.get_command(project_app if program == RUN_PY else app)
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    if words and not words[0].startswith("-") and hasattr(found, "default"):
        found = found.commands[found.default]  # a group that takes anything else for an argument
    if words and not words[0].startswith("-") and hasattr(found, "commands"):
        raise ValueError(f"No such command: {words[0]}")
    # a command that is only named, as in "`runyard diff`", shows nothing about its arguments
    context = found.make_context(program, words, resilient_parsing=not words or words[0].startswith("--install"))
    rest = _left(context)
    while rest and rest[0] in getattr(found, "commands", {}):  # behind the options of a group
        found = found.commands[rest.pop(0)]
        context = found.make_context(program, rest, parent=context, resilient_parsing=not rest)
        rest = _left(context)
    return context


def test_every_command_of_a_projects_pipeline_is_understood() -> None:
    pipeline = (CHECKOUT / "template" / "project" / "{{ gitlab }}").read_text()
    lines = re.findall(r"^ +- (runyard .*?)(?: # .*)?$", pipeline, re.MULTILINE)

    assert len(lines) > 3
    for line in lines:
        assert not [option for option in parsed(line).args if option.startswith("-")], line


def test_the_pages_name_many_commands() -> None:
    assert len(COMMANDS) > 50
    with pytest.raises(Exception, match="No such option"):
        parsed("runyard runs --colums id")
    with pytest.raises(Exception, match="No such command"):
        parsed("python run.py trian")


def _left(context: Any) -> list[str]:
    """What a group leaves to its commands; Click keeps the first of it apart, under names that differ by version."""
    return [*getattr(context, "_protected_args", []), *context.args]


ONLY_NAME_COMMANDS = {
    "runyard",
    "runyard image",
    "runyard ci",
    "runyard demo",
    "python run.py",
    "python run.py config",
} | {f"runyard server {name}" for name in ("user", "token", "project")}


def helps() -> Iterator[tuple[str, str]]:
    """Every command with its whole help text."""
    waiting = [("runyard", typer.main.get_command(app)), ("python run.py", typer.main.get_command(project_app))]
    while waiting:
        words, command = waiting.pop()
        inner = getattr(command, "commands", {})
        default = getattr(command, "default", None)
        waiting += [(words if name == default else f"{words} {name}", found) for name, found in inner.items()]
        if words not in ONLY_NAME_COMMANDS:
            yield words, command.help or ""


@pytest.mark.parametrize(("words", "text"), sorted(helps()))
def test_every_help_has_an_example_that_is_understood(words: str, text: str) -> None:
    examples = re.findall(rf"^ *(?:.*Example: )?({re.escape(words)}.*)$", text, re.MULTILINE)

    assert examples
    for example in examples:
        parsed(re.split(EXPLANATION, example.strip())[0])


@pytest.mark.parametrize("page", NAMES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (CHECKOUT / page).read_text()
    links = [(CHECKOUT / page).parent / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    named = re.findall(r"`((?:docs|benchmarks|examples|template|src/runyard)/[\w/.-]+\.\w+)`", text)

    missing = [path for path in [*links, *(CHECKOUT / name for name in named)] if not path.exists()]

    assert missing == []


def test_the_front_door_is_documented() -> None:
    text = "\n".join((CHECKOUT / page).read_text() for page in FRONT_DOOR)
    imported = [names for line in re.findall(r"from runyard import (.+)", text) for names in line.split(",")]
    named = {name.strip() for name in imported} | set(re.findall(r"\brunyard\.(\w+)", text))

    modules = {path.stem for path in (CHECKOUT / "src" / "runyard").iterdir()}
    assert (named ^ set(runyard.__all__)) - modules == set()


def test_every_exit_code_is_in_the_documentation() -> None:
    table = re.findall(r"^\| (\d+) \|", (CHECKOUT / "docs" / "cli.md").read_text(), re.MULTILINE)
    tree = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RunyardError)]

    assert {str(kind.exit_code) for kind in tree} < set(table)
    assert table == ["0", "1", "2", "3", "4", "130"]


def test_runyard_is_a_module_that_can_be_executed() -> None:
    done = subprocess.run([sys.executable, "-m", "runyard", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"runyard {runyard.__version__}\n"
