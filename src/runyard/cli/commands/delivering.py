"""Handing a model over."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli import completion
from runyard.cli.options import Json

app = typer.Typer(rich_markup_mode=None)

SomeRun = Annotated[
    str | None,
    typer.Argument(metavar="RUN", autocompletion=completion.run, help="A run, 'last' or 'best'.", show_default=False),
]
Model = Annotated[Path | None, typer.Option("--model", metavar="FOLDER", help="A model folder, instead of a run.")]


@app.command("package")
def package(
    run: SomeRun = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="A new folder.")] = Path("model"),
    model: Model = None,
    samples: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where golden samples come from [tests/data].")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=1000, help="How many golden samples.")] = 8,
    threshold: Annotated[float | None, typer.Option(help="Where a decision is made, kept in the manifest.")] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Convert to ONNX, and prove that it computes the same.")] = False,
    as_json: Json = False,
) -> None:
    """Make a model package: weights, manifest, golden samples, model card. The run keeps it, too.

    Run it in the project's folder. `run.py infer --model`, the Streamlit page and the container read the same folder.

    \b
    runyard package best --out model
    runyard package 8fk2 --out delivered --onnx
    runyard package --model old/model --samples data/golden --count 20 --out delivered
    """
    from runyard.cli import package as command

    command.package(
        run=run, model=model, out=out, samples=samples, count=count, threshold=threshold, onnx=onnx, as_json=as_json
    )
