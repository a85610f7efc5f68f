"""The program of a container: `serve` (the default), `batch IN OUT`, `check`, `schema`."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from runyard.drafts import refused
from runyard.errors import RunyardError, ServiceError
from runyard.hosts import listen
from runyard.serve.loading import Loaded, open_model, wrong_answers
from runyard.serve.service import Service

HOST = "127.0.0.1"
PORT = 8000
PATIENCE_S = 30  # for requests in flight when the service is asked to end


def run(service: Service, arguments: Sequence[str] | None = None) -> int:
    """Execute a command line; return the exit code: 1 if something failed, 2 if the call was wrong."""
    asked = _parser(service).parse_args(arguments)
    service.model = asked.model
    service.device = asked.device
    try:
        if asked.command == "schema":
            print(json.dumps(service.interface.schema(), indent=2, ensure_ascii=False))
            return 0
        if asked.command == "check":
            return check(service, is_json=asked.json)
        if asked.command == "batch":
            return batch(service, asked.inputs, asked.output)
        return serve(service, getattr(asked, "host", HOST), getattr(asked, "port", PORT))
    except RunyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:  # a folder that may not be written, a port that is taken
        print(refused(error), file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        return 130


def serve(service: Service, host: str, port: int) -> int:
    """Answer requests until SIGTERM or SIGINT; what is in flight then is finished first."""
    import uvicorn  # late, as the next: `check` and `batch` need no server

    from runyard.serve.connections import Connection

    listener = listen(host, port)
    config = uvicorn.Config(
        service.asgi,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        http=Connection,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    address = f"http://{host}:{listener.getsockname()[1]}"
    print(f"{service.title} answers at {address} once the model is loaded.", file=sys.stderr, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn ends, and then sends the signal once more
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def batch(service: Service, inputs: Path, output: Path) -> int:
    """Predict a folder."""
    from runyard.serve.computing import Computer  # late, as the next: other commands need neither
    from runyard.serve.over_folder import Place, predict_folder

    loaded = _opened(service)
    computer = Computer(loaded.model, service.predict, service.interface)
    done, failed = predict_folder(service, computer, loaded.manifest.id, inputs, output)
    place = Place.of(output)
    print(f"{done} {'prediction is' if done == 1 else 'predictions are'} in {place.table}.")
    if failed:
        what = "1 input" if failed == 1 else f"{failed} inputs"
        print(f"{what} failed; {place.errors} says why. The same command tries again.", file=sys.stderr)
    return 1 if failed else 0


def check(service: Service, *, is_json: bool) -> int:
    """Load the model, ask the golden samples, and show what was said."""
    loaded = open_model(service, lambda stage: None if is_json else print(f"{stage} …", file=sys.stderr))
    problem = wrong_answers(loaded.checked)
    if is_json:
        samples = [{name: getattr(each, name) for name in each.__struct_fields__} for each in loaded.checked]
        print(json.dumps({"model": loaded.manifest.id, "ok": not problem, "samples": samples}, indent=2))
        return 1 if problem else 0
    print(f"model {loaded.manifest.id} ({loaded.manifest.framework}, {loaded.manifest.type})")
    for each in loaded.checked:
        verdict = "; ".join(each.differences) or "ok"
        print(f"  {each.request:<24} {_short(each.found):<48} {verdict}")
    if problem:
        print(problem, file=sys.stderr)
        return 1
    if not loaded.checked:
        print("The model answers can not be proven: this folder holds no golden samples. `runyard package` adds them.")
        return 0
    print(f"All {len(loaded.checked)} golden samples got the golden answer.")
    return 0


def _opened(service: Service) -> Loaded:
    loaded = open_model(service)
    if problem := wrong_answers(loaded.checked):
        raise ServiceError(problem)
    return loaded


def _short(document: object) -> str:
    text = json.dumps(document, ensure_ascii=False)
    return text if len(text) <= 46 else f"{text[:45]}…"


def _parser(service: Service) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=f"{service.title}: a model as a service.", parents=[_shared(service.model, service.device)]
    )
    again = _shared(argparse.SUPPRESS, argparse.SUPPRESS)  # the same options may stand behind the command
    commands = parser.add_subparsers(dest="command", metavar="serve|batch|check|schema")
    command = commands.add_parser("serve", parents=[again], help="answer requests [the default]")
    command.add_argument("--host", default=os.environ.get("HOST") or HOST, help="0.0.0.0 for other machines")
    command.add_argument("--port", type=int, default=int(os.environ.get("PORT") or PORT))
    command = commands.add_parser("batch", parents=[again], help="predict a folder; goes on where it was cut off")
    command.add_argument("inputs", type=Path, metavar="IN", help="a folder, or one file")
    command.add_argument("output", type=Path, metavar="OUT", help="a folder, or a .csv or .parquet file")
    command = commands.add_parser("check", parents=[again], help="prove the delivery: files, model, golden samples")
    command.add_argument("--json", action="store_true", help="for scripts")
    commands.add_parser("schema", parents=[again], help="what a request and an answer look like, as JSON schema")
    return parser


def _shared(model: Path | str, device: str) -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--model", type=Path, default=model, help="model folder [MODEL, else /model]")
    shared.add_argument("--device", default=device, help="cpu, cuda or cuda:1 [cpu]")
    return shared
