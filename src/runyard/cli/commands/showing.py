"""What a customer gets to see."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli import completion
from runyard.cli.choices import NotebookKind
from runyard.cli.options import Json, Where

app = typer.Typer(rich_markup_mode=None)
demo = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(demo, name="demo")


@demo.callback()
def demos() -> None:
    """A demo that runs without a network.

    \b
    runyard demo pack best
    runyard demo check demo-weld-seam-8fk2
    """


Runs = Annotated[list[str], typer.Argument(metavar="RUN...", autocompletion=completion.run, show_default=False)]
Compare = Annotated[
    str | None, typer.Option("--compare", metavar="RUN", help="A run that the first one is compared with.")
]
Lang = Annotated[str, typer.Option("--lang", metavar="de|en", help="The language.")]
Redact = Annotated[bool, typer.Option("--redact", help="Leave out paths, and names of users and machines.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)]


@app.command("report")
def report(
    runs: Runs,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to.")] = Path("report.html"),
    compare: Compare = None,
    lang: Lang = "en",
    redact: Redact = False,
    title: Annotated[str, typer.Option(help="At the top [the project's name].")] = "",
    customer: Annotated[str, typer.Option(help="Whom it is for.")] = "",
    cost: Annotated[
        list[str] | None,
        typer.Option("--cost", metavar="NAME=AMOUNT", help="What a miss costs; then, what a false alarm costs."),
    ] = None,
    unit: Annotated[str, typer.Option(help="Of the costs: '€ per 1000 parts'.")] = "",
    positive: Annotated[str | None, typer.Option(help="The class that is looked for.", metavar="CLASS")] = None,
    threshold: Annotated[float | None, typer.Option(help="Where the threshold stands at first [0.5].")] = None,
    as_json: Json = False,
) -> None:
    """Write runs into one HTML file: measures, threshold, errors, comparison, settings, where it all comes from.

    The file refers to nothing outside of it and stays below 10 MB: it can be mailed, printed, and opened in five years.

    \b
    runyard report best --out report.html
    runyard report 8fk2 --compare m3qd --lang de --redact
    runyard report 8fk2 --cost 'missed defect=120' --cost 'false alarm=4' --unit '€ per 1000 parts'
    """
    from runyard.cli import report as command

    command.report(
        command.Request(
            runs=tuple(runs),
            out=out,
            compare=compare,
            lang=lang,
            is_redacted=redact,
            title=title,
            customer=customer,
            costs=tuple(cost or ()),
            unit=unit,
            positive=positive,
            threshold=threshold,
            as_json=as_json,
        )
    )


@app.command("notebook")
def notebook(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", autocompletion=completion.run, show_default=False)
    ] = None,
    where: Where = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="NAME.ipynb, or NAME.py with cells of # %% [runs-ID.ipynb]."),
    ] = None,
    kind: Annotated[
        NotebookKind, typer.Option(help="compare: settings and metrics; errors: what an evaluation got wrong.")
    ] = NotebookKind.ALL,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write a notebook about runs, executed once: settings, what differs, curves, answers, pictures.

    It asks for the runs by their ids, so it can be run again and changed. A .py holds no outputs and is not executed:
    it is for a repository.

    \b
    runyard notebook best
    runyard notebook 8fk2 m3qd --out compare.ipynb
    runyard notebook --where 'experiment == "lr"' --kind compare --out lr.py
    """
    from runyard.cli import notebook as command

    command.notebook(runs=runs or [], where=where, kind=kind.value, out=out, force=force, as_json_=as_json)


@demo.command("pack")
def pack(
    run: Annotated[str, typer.Argument(metavar="RUN", autocompletion=completion.run, show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="A new folder [demo-PROJECT-ID].")
    ] = None,
    compare: Compare = None,
    lang: Annotated[str, typer.Option("--lang", metavar="de|en", help="The language [what the page says].")] = "",
    wheels: Annotated[
        bool, typer.Option("--wheels", help="With all packages, for a machine that has nothing but Python.")
    ] = False,
    redact: Redact = False,
    as_json: Json = False,
) -> None:
    """Pack the customer's page of a project with all it needs: code, models, answers, pictures, a start script.

    Call it in the project's folder; its page and samples are taken as they are now, the rest as the run saw it.
    With --redact only src/ and tests/data/ of the code go along, and you are told where they name paths or people.

    \b
    runyard demo pack best
    runyard demo pack 8fk2 --compare m3qd --out /media/stick/demo --wheels
    runyard demo pack best --redact
    """
    from runyard.cli import demo as command

    command.pack(run=run, out=out, compare=compare, lang=lang, with_wheels=wheels, is_redacted=redact, as_json=as_json)


@demo.command("check")
def check(folder: Folder, as_json: Json = False) -> None:
    """Show all pages of a packed demo with the network taken away, and tell who tried to reach it all the same.

    The exit code is 1 if a page fails or anything outside of this machine was asked for.

    \b
    runyard demo check demo-weld-seam-8fk2
    """
    from runyard.cli import demo as command

    command.check(folder=folder, as_json=as_json)


@demo.command("open")
def open_(
    folder: Folder,
    lang: Annotated[str, typer.Option("--lang", metavar="de|en", help="The language [as packed].")] = "",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="This port [the first free from 8501].")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Open a packed demo in a browser on this machine; its start.sh does that, too.

    \b
    runyard demo open demo-weld-seam-8fk2
    """
    from runyard.cli import demo as command

    command.open_(folder=folder, lang=lang, port=port, is_browser_wanted=not no_browser)
