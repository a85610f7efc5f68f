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


image_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(image_app, name="image")


@image_app.callback()
def image() -> None:
    """The container: build it, test it, hand it over.

    \b
    runyard image build best --tag weld-seam:1.2
    runyard image test weld-seam:1.2
    runyard image save weld-seam:1.2
    """


Tag = Annotated[str, typer.Argument(metavar="IMAGE", help="As `image build` has named it.", show_default=False)]
ChosenEngine = Annotated[
    str | None, typer.Option("--engine", help="docker, podman or buildah [the first that answers].", show_default=False)
]


@image_app.command("build")
def image_build(
    run: SomeRun = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FOLDER", help="A model package [model].", show_default=False)
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", "-t", help="Name of the image [PROJECT:MODEL].")] = None,
    without_model: Annotated[
        bool, typer.Option("--without-model", help="Leave the model out; it will be mounted at /model.")
    ] = False,
    wheels: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Install packages from these wheels, and ask no index.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base image, pinned by its digest for a delivery: python:3.12-slim@sha256:…")
    ] = None,
    needs: Annotated[
        str | None,
        typer.Option(metavar="'A B'", help="Packages for predicting, instead of those that the Dockerfile names."),
    ] = None,
    engine: ChosenEngine = None,
    only_context: Annotated[
        Path | None, typer.Option("--only-context", metavar="FOLDER", help="Only lay out the files; build elsewhere.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the container of this project, with Docker, Podman or Buildah.

    Into it go src/, docker/main.py and a model package: what docker/.dockerignore leaves, and nothing else. A model in
    ONNX gets ONNX Runtime in place of the framework that trained it.

    \b
    runyard image build best
    runyard image build --model delivered --tag weld-seam:1.4
    runyard image build --without-model --wheels wheels/
    """
    from runyard.cli import image as command

    command.build(
        run=run,
        model=model,
        tag=tag,
        without_model=without_model,
        wheels=wheels,
        base=base,
        needs=needs,
        engine=engine,
        only_context=only_context,
        as_json=as_json,
    )


@image_app.command("test")
def image_test(
    tag: Tag,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FOLDER", help="Mount this package at /model.", show_default=False)
    ] = None,
    engine: ChosenEngine = None,
    as_json: Json = False,
) -> None:
    """Look into the layers of an image, start it read-only and without network, and send the golden requests.

    The exit code is 1 if anything is bad.

    \b
    runyard image test weld-seam:1.4
    """
    from runyard.cli import image as command

    if not command.test(tag=tag, model=model, engine=engine, as_json=as_json):
        raise typer.Exit(1)


@image_app.command("save")
def image_save(
    tag: Tag,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="A new folder [IMAGE-MODEL].")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FOLDER", help="The model package [model].", show_default=False)
    ] = None,
    part_mb: Annotated[
        float | None, typer.Option("--part-mb", min=1, help="Largest part of the image, in MB [4000].")
    ] = None,
    engine: ChosenEngine = None,
    as_json: Json = False,
) -> None:
    """Write a folder for a site without network: image, checksums, load scripts, SBOM, licences, model card.

    \b
    runyard image save weld-seam:1.4 --out /media/stick/weld-seam-1.4
    """
    from runyard.cli import image as command

    command.save(tag=tag, out=out, model=model, part_mb=part_mb, engine=engine, as_json=as_json)
