"""What the container runs: predictions for a folder or a file, with the very code that training used.

    python docker/main.py check                 is there a model, and does it answer?
    python docker/main.py batch IN OUT.csv      predict all inputs of the folder or file IN

The model folder comes from --model, else from the variable MODEL, else it is ./model.
"""

import argparse
import csv
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project, so that `src` is found from anywhere

from runyard.errors import RunyardError

from src import inference
from src.data_processing.data_loader import blank


def main() -> int:
    arguments = parse()
    if not arguments.model.is_dir():
        print(f"There is no model folder {arguments.model}. Name one with --model or MODEL.", file=sys.stderr)
        return 2
    try:
        model = inference.load(arguments.model, arguments.device)
    except RunyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if arguments.command == "check":
        return check(model)
    return batch(model, arguments.inputs, arguments.output)


def check(model: inference.Model) -> int:
    """Predict a blank input: the model can be loaded, and it answers."""
    (output,) = inference.predict(model, [blank()])
    print(f"The model answers (to a blank input: {output}).")
    return 0


def batch(model: inference.Model, inputs: Path, output: Path) -> int:
    """Predict all inputs of a folder or a file, and write a CSV file with one line each."""
    try:
        found = inference.read(inputs)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    predictions = inference.predict(model, [item for _, item in found])
    with output.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["input", *inference.Output._fields])
        table.writerows([name, *prediction] for (name, _), prediction in zip(found, predictions, strict=True))
    print(f"{len(predictions)} predictions are in {output}.")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Predictions for a folder or a file.")
    parser.add_argument("--model", type=Path, default=os.environ.get("MODEL", "model"), help="model folder")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="is there a model, and does it answer?")
    command = commands.add_parser("batch", help="predict all inputs of a folder or a file")
    command.add_argument("inputs", type=Path, metavar="IN", help="a folder of inputs, or one file")
    command.add_argument("output", type=Path, metavar="OUT", help="the CSV file to write")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
