"""Train and predict.

python run.py train                             with the settings of src/config.py; the results go to runs/<time>
python run.py train optim.lr=0.01 --out runs/a  with others
python run.py infer --model runs/a/model --data tests/data --out predictions.csv
"""

import argparse
import sys
import time
from pathlib import Path

from src.config import DEFAULT
from src.train import train
from src.utils.standalone import ProjectError, Run, parse_changes
from src.utils.tables import write_predictions

from src import inference


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train", help="train a model")
    command.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="settings: optim.lr=0.01")
    command.add_argument("--out", type=Path, default=Path("runs", time.strftime("%Y%m%d-%H%M%S")), metavar="FOLDER")
    command.add_argument("--data", help="instead of what the settings name")
    command = commands.add_parser("infer", help="apply a model")
    command.add_argument("--model", type=Path, required=True, metavar="FOLDER")
    command.add_argument("--data", type=Path, required=True, metavar="PATH")
    command.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    command.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    arguments = parser.parse_args()
    try:
        return _train(arguments) if arguments.command == "train" else _infer(arguments)
    except (ProjectError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2


def _train(arguments: argparse.Namespace) -> int:
    config = DEFAULT.replace(parse_changes(arguments.changes))
    run = Run(arguments.out, config=config, data=arguments.data)
    train(config, run)
    print("  ".join(f"{key} {values[-1]:.4g}" for key, values in run.values.items()))
    print(f"The model is in {arguments.out / 'model'}, the metrics are in {arguments.out / 'metrics.csv'}.")
    return 0


def _infer(arguments: argparse.Namespace) -> int:
    model = inference.load(arguments.model, arguments.device)
    print(f"{write_predictions(model, arguments.data, arguments.out)} predictions are in {arguments.out}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
