"""How much does the inference service cost, beside a bare FastAPI app with the same model?

    python -m benchmarks.serve [--litserve FOLDER]

Both answer the same requests (64 numbers as JSON, a perceptron of 64-1024-1024-10 in NumPy), each from a process of
its own, in turns, so that a busy machine slows both. With --litserve, LitServe joins in; FOLDER is its virtual
environment, made if it is missing.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

ROUNDS = 5
ALONE = 300  # requests one after another
TOGETHER = 1500  # requests over 16 connections
CONNECTIONS = 16
CHECKOUT = Path(__file__).parents[1]

MODEL = """
import sys
from pathlib import Path
import numpy as np

def load(path, device="cpu"):
    with np.load(Path(path) / "model.npz") as file:
        return [file[name] for name in file.files]

def compute(model, images):
    x = images.reshape(len(images), -1)
    for weights in model[:-1]:
        x = np.maximum(x @ weights, 0)
    x = x @ model[-1]
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
"""

OURS = """
from typing import Annotated, Any
from numpy.typing import NDArray
from pydantic import BaseModel
from runyard.serve import ArrayInput, serve
from model import compute, load, np, sys

Input = Annotated[NDArray[np.float32], ArrayInput(shape=(8, 8), low=0, high=1)]

class Output(BaseModel):
    label: int
    probability: float

def predict(model: Any, inputs: list[Input]) -> list[Output]:
    rows = compute(model, np.stack(inputs))
    return [Output(label=int(row.argmax()), probability=float(row.max())) for row in rows]

serve(load, predict, model=sys.argv[1]).cli(["serve", "--port", sys.argv[2]])
"""

BARE = """
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from model import compute, load, np, sys

app = FastAPI()
model = load(sys.argv[1])

class Output(BaseModel):
    label: int
    probability: float

@app.post("/predict")
def predict(image: list[list[float]]) -> Output:
    row = compute(model, np.asarray(image, dtype=np.float32)[None])[0]
    return Output(label=int(row.argmax()), probability=float(row.max()))

uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
"""

LITSERVE = """
import litserve
from model import compute, load, np, sys

class Digits(litserve.LitAPI):
    def setup(self, device):
        self.model = load(sys.argv[1])

    def decode_request(self, request):
        return np.asarray(request, dtype=np.float32)

    def predict(self, image):
        return compute(self.model, image[None])[0]

    def encode_response(self, row):
        return {"label": int(row.argmax()), "probability": float(row.max())}

if __name__ == "__main__":
    server = litserve.LitServer(Digits(), accelerator="cpu")
    server.run(port=int(sys.argv[2]), log_level="warning", generate_client_file=False)
"""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litserve", type=Path, metavar="FOLDER", help="measure LitServe of this environment, too")
    asked = parser.parse_args()
    programs = {"runyard.serve": (sys.executable, OURS), "bare FastAPI": (sys.executable, BARE)}
    if asked.litserve:
        programs["LitServe"] = (litserve_in(asked.litserve.absolute()), LITSERVE)
    rng = np.random.default_rng(0)
    body = json.dumps(rng.random((8, 8)).round(4).tolist()).encode()
    found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        write_model(folder, rng)
        servers = {}
        for name, (python, program) in programs.items():
            servers[name] = stack.enter_context(running(folder, name, python, program))
            asyncio.run(together(servers[name][0], body, 100))  # warm
        for _ in range(ROUNDS):
            for name, (port, process) in servers.items():
                latencies = sorted(asyncio.run(alone(port, body)))
                begun, before_s = perf_counter(), processor_s(process)
                asyncio.run(together(port, body, TOGETHER))
                rate, cost_s = TOGETHER / (perf_counter() - begun), (processor_s(process) - before_s) / TOGETHER
                p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
                found[name].append((p50, p99, rate, cost_s))
    print(f"{'':<16}{'p50':>10}{'p99':>10}{'requests/s over 16 connections':>34}{'processor a request':>22}")
    for name, rounds in found.items():
        p50, p99, rate, cost_s = (statistics.median(values) for values in zip(*rounds, strict=True))
        spread = f"({min(each[2] for each in rounds):.0f} to {max(each[2] for each in rounds):.0f})"
        print(f"{name:<16}{p50 * 1e3:>7.2f} ms{p99 * 1e3:>7.2f} ms{rate:>14.0f} {spread:>19}{cost_s * 1e3:>19.2f} ms")


def litserve_in(environment: Path) -> str:
    """The interpreter of an environment that has LitServe; half a minute if it has to be made."""
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"installing LitServe into {environment} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "litserve>=0.2,<0.3", "numpy"], check=True)
    return str(python)


def processor_s(process: psutil.Process) -> float:
    """Processor time of a server with its children, in seconds: what a busy machine does not change."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


def write_model(folder: Path, rng: np.random.Generator) -> None:
    """The weights, with a manifest for those who want one."""
    from runyard.tracking.models import save_model

    sizes = [64, 1024, 1024, 10]
    layers = {
        f"layer{n}": (rng.normal(size=pair) / pair[0] ** 0.5).astype(np.float32)
        for n, pair in enumerate(pairwise(sizes))
    }
    save_model(layers, folder / "weights")
    (folder / "model.py").write_text(MODEL)


@contextmanager
def running(folder: Path, name: str, python: str, program: str) -> Iterator[tuple[int, psutil.Process]]:
    """A server in a process of its own; gives its port and the process when it answers."""
    script = folder / f"{name.replace(' ', '_').replace('.', '_')}.py"
    script.write_text(program)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    path = f"{folder}:{CHECKOUT / 'src'}" if python == sys.executable else str(folder)
    process = subprocess.Popen(
        [python, str(script), str(folder / "weights"), str(port)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd=folder,
    )
    try:
        wait_until_it_answers(port, process)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def wait_until_it_answers(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Ask it for a prediction until there is one."""
    limit = perf_counter() + 60
    while perf_counter() < limit and process.poll() is None:
        try:
            asyncio.run(together(port, json.dumps([[0.5] * 8] * 8).encode(), 1))
            return
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            pass
    raise SystemExit(f"The server at port {port} never answered.")


async def alone(port: int, body: bytes) -> list[float]:
    """Seconds of requests that come one after another over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds = []
    for _ in range(ALONE):
        begun = perf_counter()
        await exchange(reader, writer, body)
        seconds.append(perf_counter() - begun)
    writer.close()
    return seconds


async def together(port: int, body: bytes, count: int) -> None:
    """Send so many requests over several connections at once."""
    left = iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            await exchange(reader, writer, body)
        writer.close()

    await asyncio.gather(*(client() for _ in range(min(CONNECTIONS, count))))


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
    """One request and its answer, without a library, which would cost more than the server."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    writer.write(head + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:] if b": " in line)
    content = await reader.readexactly(int(fields[b"content-length"]))
    if b" 200 " not in answer.split(b"\r\n", 1)[0]:
        raise RuntimeError(content.decode())


if __name__ == "__main__":
    main()
