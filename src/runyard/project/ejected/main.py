"""What the container runs: predictions for a folder or a file, with the very code that training used.

    python docker/main.py check                 is there a model, and does it answer?
    python docker/main.py batch IN OUT.csv      predict all inputs of the folder or file IN

The model folder comes from --model, else from the variable MODEL, else it is ./model.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project, so that `src` is found from anywhere

from src.utils.standalone import ProjectError
from src.utils.tables import write_predictions

from src import inference


def main() -> int:
    parser = argparse.ArgumentParser(description="Predictions for a folder or a file.")
    parser.add_argument("--model", type=Path, default=os.environ.get("MODEL", "model"), help="model folder")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="is there a model, and does it answer?")
    command = commands.add_parser("batch", help="predict all inputs of a folder or a file")
    command.add_argument("inputs", type=Path, metavar="IN")
    command.add_argument("output", type=Path, metavar="OUT", help="the CSV file to write")
    arguments = parser.parse_args()
    try:
        model = inference.load(arguments.model, arguments.device)
        if arguments.command == "check":
            print("The model can be loaded.")
        else:
            print(
                f"{write_predictions(model, arguments.inputs, arguments.output)} predictions are in {arguments.output}."
            )
    except (ProjectError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
