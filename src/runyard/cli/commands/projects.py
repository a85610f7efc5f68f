"""Projects and their template."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli.choices import CI, Framework, Task
from runyard.cli.commands import ci
from runyard.cli.options import Json, Yes

app = typer.Typer(rich_markup_mode=None)
app.add_typer(ci.app, name="ci")

TaskOption = Annotated[Task, typer.Option(help="What the example model does.")]
FrameworkOption = Annotated[Framework, typer.Option(help="What the example model is made with.")]
CIOption = Annotated[CI, typer.Option("--ci", help="Where the tests run.")]
Source = Annotated[
    str | None, typer.Option("--from", metavar="TEMPLATE", help="A team's own template: a Git repository.")
]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, - and _.", show_default=False)],
    task: TaskOption = Task.IMAGE_CLASSIFICATION,
    framework: FrameworkOption = Framework.SKLEARN,
    ci: CIOption = CI.GITLAB,
    source: Source = None,
    folder: Annotated[Path | None, typer.Option("--dir", metavar="FOLDER", help="Where to [./NAME].")] = None,
) -> None:
    """Make a project: one structure, a model that trains at once on real data, tests that pass.

    \b
    runyard new weld-seam
    runyard new weld-seam --task detection --framework torch --dir ~/projects/weld-seam
    runyard new weld-seam --from git@gitlab.example:ml/template.git
    """
    from runyard.cli import new as command

    command.new(name=name, task=task, framework=framework, ci=ci, source=source, folder=folder)


@app.command("check")
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PROJECT|FILE]...", help="Folders, or files to fix [the project here].", show_default=False
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Restore managed files, strip outputs of notebooks.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit's XML, too.")] = None,
    code_quality: Annotated[
        Path | None, typer.Option("--codequality", metavar="FILE", help="Write GitLab's Code Quality, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Is this project as every project is? Structure, managed files, config, experiments, requirements, notebooks.

    The exit code is 1 if there is an error; warnings are told only.

    \b
    runyard check
    runyard check ~/projects/weld-seam ~/projects/tiles --json
    runyard check --fix run.py
    runyard check --junit junit.xml --codequality gl-code-quality.json
    """
    from runyard.cli import check as command

    command.check_projects(paths or [], mend=fix, junit=junit, code_quality=code_quality, as_json=as_json)


@app.command("update")
def update(
    folder: Annotated[Path | None, typer.Argument(metavar="[PROJECT]", show_default=False)] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="VERSION", help="[the newest]")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Take over what is new in the template, on a branch of its own.

    Managed files are replaced, merged ones are merged with your changes, yours are left alone. The exit code is 3 if
    both sides changed the same lines: the branch then waits with them.

    \b
    runyard update --dry-run
    runyard update
    runyard update --to 0.2.0
    """
    from runyard.cli import update as command

    command.update_project(folder, to=to, dry=dry, as_json=as_json)


@app.command("adopt")
def adopt(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    name: Annotated[str | None, typer.Option(help="[that of the folder]")] = None,
    task: TaskOption = Task.IMAGE_CLASSIFICATION,
    framework: FrameworkOption = Framework.SKLEARN,
    ci: CIOption = CI.GITLAB,
    source: Source = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only report.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a repository that exists a project: report what is missing, then write that and nothing else.

    \b
    runyard adopt . --dry-run
    runyard adopt . --task tabular --framework torch
    """
    from runyard.cli import adopt as command

    choices = {"task": task.value, "framework": framework.value, "ci": ci.value}
    command.adopt_folder(folder, name=name, choices=choices, source=source, yes=yes, dry=dry, as_json=as_json)


@app.command("projects")
def projects(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Look for projects below these, too.", show_default=False),
    ] = None,
    ask_ci: Annotated[bool, typer.Option("--ci", help="Ask the GitLab of each project how its pipeline went.")] = False,
    as_json: Json = False,
) -> None:
    """All projects: template version, how far behind, the last run, and how CI went where that is known.

    \b
    runyard projects
    runyard projects ~/projects --ci
    """
    from runyard.cli import projects as command

    command.show_projects(folders or [], ask_ci=ask_ci, as_json=as_json)


@app.command("eject")
def eject(
    folder: Annotated[Path | None, typer.Argument(metavar="[PROJECT]", show_default=False)] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="New or empty: where the copy goes.")] = ...,  # type: ignore[assignment]  # Typer's way to say that it must be given
) -> None:
    """Copy a project so that it trains and predicts without Runyard, to hand it over.

    \b
    runyard eject --out ../weld-seam-handover
    """
    from runyard.cli import eject as command

    command.eject_project(folder, out=out)
