"""A home as a team would have it after a night: two grids with seeds, failures, runs that wait and runs that run.

    python -m tests.server.demo_home FOLDER             make it
    python -m tests.server.demo_home FOLDER --live      and let the running runs go on until Ctrl-C

Folders, journals and rows come from the real client; only the training is played.
"""

import argparse
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from runyard.client import Client, open_client
from runyard.client.trash import put
from runyard.config.identity import identify_stored
from runyard.journal import HOST, MAIN, Attempt, JournalWriter
from runyard.journal.events import (
    ArtifactStored,
    Ended,
    Environment,
    Failed,
    Finished,
    Media,
    Opened,
    Output,
    Progress,
    Started,
    Warned,
)
from runyard.project.snapshot import take
from runyard.records import CodeState, RunId, RunSpec, RunState, new_run_id
from runyard.tracking.media.confusion_matrix import encode_predictions
from runyard.tracking.media.curve import encode_curve
from runyard.tracking.media.histogram import histogram_of
from runyard.tracking.media.image import encode_image
from runyard.tracking.media.table import encode_table

STEPS = 200
STEP_S = 9.0
METRICS = ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr", "grad_norm")
SYSTEM = tuple(
    f"sys/{name}"
    for name in (
        "cpu_percent",
        "memory_used_bytes",
        "gpu0/utilization_percent",
        "gpu0/memory_used_bytes",
        "gpu0/temperature_c",
    )
)
ELSEWHERE = "ws2"  # nobody here settles runs of another host
_SECOND = 1_000_000_000
_GIB = 1 << 30


@dataclass
class Demo:
    """The ids of what was made, by state."""

    path: Path
    client: Client
    ids: dict[str, list[RunId]] = field(default_factory=dict)
    running: list["Playing"] = field(default_factory=list)

    def close(self) -> None:
        """Let go of all files."""
        for each in self.running:
            each.main.close()
            each.host.close()
        self.client.close()


@dataclass
class Playing:
    """A run whose training goes on: its journals, and how far it is."""

    spec: RunSpec
    attempt: Attempt
    quality: float
    step: int
    main: JournalWriter
    host: JournalWriter


@dataclass(frozen=True)
class _Part:
    grid: str
    config: dict[str, Any]
    index: int


def make(path: Path, *, now: datetime | None = None, steps: int = STEPS) -> Demo:
    """Fill the home at `path`; takes a few seconds."""
    now = now or datetime.now(UTC)
    client = open_client(path)
    client.refresh()
    demo = Demo(path, client)
    codes = [_code(path, client, version) for version in (1, 2)]
    specs = [_spec(path, part, codes, now) for part in _parts()]
    client.submit(specs)
    for number, (part, spec) in enumerate(zip(_parts(), specs, strict=True)):
        _play(demo, part, spec, number, now, steps)
    client.index.catch_up()
    _edit(demo)
    return demo


def _parts() -> list[_Part]:
    weld = [
        {"optim": {"lr": lr, "name": name, "momentum": 0.9}, "model": {"depth": depth, "width": 64}, "seed": seed}
        for lr, name, depth, seed in product((0.1, 0.03, 0.01), ("adam", "sgd"), (2, 3), (0, 1, 2))
    ]
    paint = [
        {"optim": {"lr": 0.01, "weight_decay": decay}, "model": {"depth": 4, "layers": [32, 32]}, "crop": crop}
        | {"use_amp": crop > 64, "seed": seed}
        for decay, crop, seed in product((0.0, 0.001, 0.01), (64, 128, 256), (0, 1, 2))
    ]
    common = {"data": {"root": "data/train", "batch_size": 32}, "epochs": 20}
    parts = [_Part("lr-depth-7f3a", config | common, index) for index, config in enumerate(weld)]
    return parts + [_Part("crop-91bc", config | common, index) for index, config in enumerate(paint)]


def _spec(path: Path, part: _Part, codes: Sequence[CodeState], now: datetime) -> RunSpec:
    is_weld = part.grid.startswith("lr")
    shown = {key: value for key, value in _flat(part.config).items() if key in ("optim.lr", "model.depth", "crop")}
    identity = identify_stored(part.config)
    state = _state(part)
    return RunSpec(
        id=new_run_id(),
        project="weld-seam" if is_weld else "paint-check",
        name=",".join(f"{key.rpartition('.')[2]}={value}" for key, value in shown.items()) + f"/s{part.config['seed']}",
        created_at=now - timedelta(hours=14 if is_weld else 9, seconds=-part.index),
        experiment="learning rate" if is_weld else "crop size",
        grid=part.grid,
        config=part.config,
        config_id=identity.config_id,
        group=identity.group,
        changed={key: value for key, value in shown.items() if value not in (0.1, 2, 64)},
        seed=part.config["seed"],
        tags=("baseline",) if part.index < 3 else (),
        user="anna" if part.index % 3 else "jon",
        host=socket.gethostname(),
        project_dir=str(path / "projects" / ("weld-seam" if is_weld else "paint-check")),
        command=("python", "run.py", "train", "--grid", "--queue"),
        code=codes[part.index % 11 == 10],
        data="data/train",
        is_queued=state in ("QUEUED", "HELD"),
    )


def _state(part: _Part) -> str:
    """What became of each part of the grids."""
    if part.grid.startswith("lr"):
        return {7: "FAILED", 19: "FAILED", 22: "OUT_OF_MEMORY", 31: "STOPPED"}.get(part.index, "COMPLETED")
    if part.index >= 15:
        return "HELD" if part.index in (24, 25) else "RUNNING" if part.index < 18 else "QUEUED"
    return {4: "FAILED", 5: "FAILED", 9: "TIMED_OUT"}.get(part.index, "COMPLETED")


def _play(demo: Demo, part: _Part, spec: RunSpec, number: int, now: datetime, steps: int) -> None:
    state = _state(part)
    demo.ids.setdefault(state, []).append(spec.id)
    if state == "HELD":
        demo.client.hold([spec.id], why="waits for new data", by="jon")
    if state in ("QUEUED", "HELD"):
        return
    attempt = demo.client.folder(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    main = JournalWriter(attempt.journal(MAIN), run=spec.id, attempt=1, stream=MAIN)
    host = JournalWriter(attempt.journal(HOST), run=spec.id, attempt=1, stream=HOST)
    done = {"FAILED": steps // 5, "RUNNING": steps * 2 // 3, "STOPPED": steps // 2}.get(state, steps)
    begin = now - timedelta(seconds=done * STEP_S) if state == "RUNNING" else spec.created_at
    start_ns = int((begin + timedelta(minutes=0 if state == "RUNNING" else part.index)).timestamp()) * _SECOND
    _begin(spec, main, host, start_ns, number)
    quality = _quality(part, number)
    _curves(main, METRICS, _training(quality, done, number), start_ns, range(done))
    _curves(main, ("epoch",), np.arange(done)[:, None] // 10.0, start_ns, range(done))
    _curves(host, SYSTEM, _machine(done // 2, number), start_ns, range(done // 2))
    _media(main, quality, start_ns, done, number)
    _files(demo.client, host, start_ns, number)
    for epoch in range(done // 10):
        text = f"epoch {epoch:3d}  loss {1.0 / (1 + epoch):.4f}  \x1b[32maccuracy {0.5 + epoch / 60:.3f}\x1b[0m\n"
        host.event(Output(time_ns=start_ns + epoch * 10 * int(STEP_S * _SECOND), text=text))
    if state == "RUNNING":
        end_ns = start_ns + int(done * STEP_S) * _SECOND
        main.event(Progress(time_ns=end_ns, done=done, total=steps, label="steps"))
        demo.running.append(Playing(spec, attempt, quality, done, main, host))
        return
    _end(spec, RunState(state), main, host, start_ns + int(done * STEP_S) * _SECOND)
    main.close()
    host.close()


def _begin(spec: RunSpec, main: JournalWriter, host: JournalWriter, start_ns: int, number: int) -> None:
    host.event(
        Started(
            time_ns=start_ns,
            host=ELSEWHERE,
            user=spec.user,
            pid=4000 + number,
            devices=(f"GPU-0000000{number % 2}",),
            device_names=("NVIDIA RTX A5000",),
            command=spec.command,
        )
    )
    host.event(
        Environment(
            time_ns=start_ns,
            python="3.12.4",
            platform="Linux-6.8.0-x86_64",
            cpu="AMD EPYC 7313",
            cpu_count=32,
            memory_bytes=128 * _GIB,
            gpus=("NVIDIA RTX A5000", "NVIDIA RTX A5000"),
            driver="550.54",
            packages={"numpy": "2.1.0", "torch": "2.4.1" if number % 2 else "2.5.0", "pillow": "10.4.0"},
            variables={"CUDA_VISIBLE_DEVICES": str(number % 2)},
        )
    )
    main.event(Opened(time_ns=start_ns, pid=5000 + number))
    main.event(Progress(time_ns=start_ns, done=0, total=STEPS, label="steps"))


def _quality(part: _Part, number: int) -> float:
    flat = _flat(part.config)
    base = 0.86 - 0.6 * abs(np.log10(flat["optim.lr"]) + 1.5) / 10 + 0.01 * flat["model.depth"]
    base += 0.02 if flat.get("optim.name") == "adam" else 0.0
    return float(base + np.random.default_rng(number).normal(0, 0.008))


def _training(quality: float, count: int, number: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(1000 + number)
    x = np.arange(count) / STEPS
    accuracy = quality * (1 - np.exp(-6 * x)) + 0.1 * np.exp(-6 * x)
    columns = [
        2.3 * np.exp(-4 * x) + 0.1 + random.normal(0, 0.05, count),
        accuracy + 0.03 + random.normal(0, 0.01, count),
        2.3 * np.exp(-3.5 * x) + 0.2 + 0.1 * x + random.normal(0, 0.02, count),
        accuracy + random.normal(0, 0.005, count),
        0.1 * np.cos(x * np.pi / 2),
        np.exp(random.normal(0, 0.4, count)),
    ]
    if number % 17 == 3 and count > 50:
        columns[5][50] = np.nan
    return np.column_stack(columns)


def _machine(count: int, number: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(2000 + number)
    return np.column_stack(
        [
            np.clip(random.normal(60, 10, count), 0, 100),
            random.normal(20, 0.5, count) * _GIB,
            np.clip(random.normal(93, 4, count), 0, 100),
            np.full(count, 11.0 * _GIB),
            70 + random.normal(0, 2, count),
        ]
    )


def _curves(
    journal: JournalWriter, keys: Sequence[str], values: np.ndarray[Any, Any], start_ns: int, steps: range
) -> None:
    schema = journal.declare(tuple(keys))
    every = int(STEP_S * _SECOND) if keys is METRICS else int(2 * STEP_S * _SECOND)
    rows = [schema.encode(step, start_ns + (step + 1) * every, values[i].tolist()) for i, step in enumerate(steps)]
    journal.append(b"".join(rows))


def _media(main: JournalWriter, quality: float, start_ns: int, done: int, number: int) -> None:
    random = np.random.default_rng(3000 + number)
    for step in range(0, done, max(done // 4, 1)):
        at = start_ns + int(step * STEP_S) * _SECOND
        pixels = (random.random((24, 24, 3)) * 255 * (0.3 + 0.7 * step / max(done, 1))).astype(np.uint8)
        data, meta = encode_image(pixels)
        main.event(_medium("val/examples", step, "image", "image/png", data, meta | {"caption": f"step {step}"}, at))
        data, meta = histogram_of(random.normal(0, 1 + step / 100, 500), bins=24)
        main.event(_medium("weights/layer1", step, "histogram", "application/json", data, meta, at))
        truth = random.integers(0, 4, 200)
        guess = np.where(random.random(200) < quality, truth, random.integers(0, 4, 200))
        data, meta = encode_predictions(truth, guess, labels=["good", "pore", "crack", "spatter"])
        main.event(_medium("val/confusion", step, "confusion_matrix", "application/json", data, meta, at))
        rate = np.linspace(0, 1, 60)
        data, meta = encode_curve(
            rate, rate ** (0.05 + 0.5 * (1 - quality)), x_label="false positives", y_label="true positives"
        )
        main.event(_medium("val/roc", step, "curve", "application/json", data, meta, at))
    at = start_ns + int(done * STEP_S) * _SECOND
    rows = [
        {"file": f"img_{i:03}.png", "label": "crack", "score": round(float(s), 3)}
        for i, s in enumerate(random.random(12))
    ]
    data, meta = encode_table(rows)
    main.event(_medium("val/worst", done, "table", "application/json", data, meta, at))
    data, meta = encode_image(np.linspace(0, 1, 80 * 120).reshape(80, 120))
    main.event(_medium("val/curve", done, "figure", "image/png", data, meta, at))
    main.event(_medium("remarks", done, "text", "text/plain", b"Confuses pores with spatter.", {}, at))


def _medium(key: str, step: int, kind: str, mime: str, data: bytes, meta: dict[str, Any], time_ns: int) -> Media:
    return Media(time_ns=time_ns, key=key, step=step, kind=kind, mime=mime, data=data, meta=meta)


def _files(client: Client, host: JournalWriter, start_ns: int, number: int) -> None:
    for name, data in (("model/weights.bin", bytes([number % 5]) * 4096), ("model/config.json", b'{"classes": 4}')):
        sha256 = client.artifacts.put_bytes(data)
        host.event(
            ArtifactStored(time_ns=start_ns, name=name, sha256=sha256, size_bytes=len(data), kind="model", meta={})
        )


def _end(spec: RunSpec, state: RunState, main: JournalWriter, host: JournalWriter, end_ns: int) -> None:
    reason = {
        RunState.OUT_OF_MEMORY: "CUDA out of memory. Tried to allocate 2.50 GiB",
        RunState.TIMED_OUT: "its time limit of 30 min was over",
        RunState.STOPPED: "stopped by anna: diverged",
    }.get(state, "")
    if state is RunState.FAILED:
        main.event(
            Failed(
                time_ns=end_ns,
                type="FileNotFoundError",
                message=f"data/train/img_{spec.seed}.png",
                traceback='Traceback (most recent call last):\n  File "src/train.py", line 41, in train\n'
                "    images, labels = load(config.data.root)\n"
                f"FileNotFoundError: data/train/img_{spec.seed}.png\n",
                fingerprint="5b1f0c2a",
            )
        )
    elif state is RunState.COMPLETED:
        main.event(Progress(time_ns=end_ns, done=STEPS, total=STEPS, label="steps"))
        main.event(Finished(time_ns=end_ns))
    else:
        main.event(Warned(time_ns=end_ns, text="the last checkpoint is 3 minutes old"))
    host.event(Ended(time_ns=end_ns, state=str(state), reason=reason, exit_code=0 if state == "COMPLETED" else 1))


def _edit(demo: Demo) -> None:
    """What people did with the runs since."""
    client, completed = demo.client, demo.ids["COMPLETED"]
    client.tag(completed[4], add=["final", "shown to the customer"])
    client.note(completed[4], "Best so far; confuses pores with spatter.")
    client.rename(completed[5], "the one with the long night")
    client.set_priority(demo.ids["QUEUED"][-1], 5)
    put(client, [completed[-1]])
    demo.ids["TRASHED"] = [completed.pop()]


def _code(path: Path, client: Client, version: int) -> CodeState:
    """Two states of one project's code, and the runyard.toml that names its metrics."""
    for name in ("weld-seam", "paint-check"):
        folder = path / "projects" / name
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "runyard.toml").write_text(
            f'name = "{name}"\n\n[metrics]\n"val/accuracy" = "max"\n"val/loss" = "min"\n'
        )
        (folder / "run.py").write_text("from runyard.runner import main\n\nmain()\n")
        (folder / "src" / "train.py").write_text(f"BATCHES = {version * 100}\n\n\ndef train(config, run):\n    ...\n")
    taken = take(path / "projects" / "weld-seam", client.artifacts)
    return CodeState(
        snapshot=taken.id, code_id=taken.code_id, commit=f"{version}b7c1f" * 6, branch="main", is_dirty=version == 2
    )


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{name}.{key}" if isinstance(value, dict) else name: inner
        for name, value in config.items()
        for key, inner in (value.items() if isinstance(value, dict) else [("", value)])
    }


# ---- letting it go on ----


def go_on(demo: Demo) -> None:
    """One more step of each running run."""
    for each in demo.running:
        values = _training(each.quality, each.step + 1, each.step)[-1:]
        now_ns = time.time_ns()
        _curves(
            each.main,
            METRICS,
            values,
            now_ns - (each.step + 1) * int(STEP_S * _SECOND),
            range(each.step, each.step + 1),
        )
        each.main.event(Progress(time_ns=now_ns, done=each.step % STEPS, total=STEPS, label="steps"))
        each.host.event(Output(time_ns=now_ns, text=f"step {each.step}\n"))
        each.step += 1
        demo.client.index.catch_up(each.spec.id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--live", action="store_true")
    arguments = parser.parse_args()
    demo = make(arguments.folder)
    print(f"{demo.client.index.count()} runs in {arguments.folder}. RUNYARD_HOME={arguments.folder} runyard ui")
    if arguments.live:
        while True:
            go_on(demo)
            time.sleep(1)


if __name__ == "__main__":
    main()
