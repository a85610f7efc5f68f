"""A home whose every text is hostile: names, tags, notes, metrics, settings, files, output, errors, hosts, users.

    python -m tests.server.hostile_home FOLDER

Nothing of it may run in a browser, command a terminal, or be a formula in a spreadsheet.
"""

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runyard.client import Client, open_client
from runyard.client.trash import put
from runyard.journal import HOST, MAIN, JournalWriter
from runyard.journal.events import (
    ArtifactStored,
    Ended,
    Environment,
    Failed,
    Media,
    Output,
    Progress,
    Started,
    Warned,
)
from runyard.records import RunId, RunSpec, new_run_id
from runyard.tracking.media.confusion_matrix import encode_predictions
from runyard.tracking.media.image import encode_image
from runyard.tracking.media.table import encode_table

LONG = "<b>long</b>" + "x" * 100_000
TEXTS = (
    "<script>window.planted=1</script>",
    "\"'><img src=x onerror=window.planted=1>",
    "javascript:window.planted=1",
    "</style><svg onload=window.planted=1>",
    "\u202egnp.exe\u2066 right to left \u05d0\u05d1",
    "zero\u200bwidth\u200d\ufeff",
    "\N{SMILING FACE WITH HORNS}\N{WOMAN}\u200d\N{ROCKET}" * 20,
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    "{{7*7}} ${7*7} <%= 7*7 %> #{7*7}",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "__proto__",
    "%00%0a%E0%A4%A",
    "a,b\\,c;d\tnew\nline\r",
    LONG,
)
PROJECT = "\"'><img src=x onerror=window.planted=1> \u202e<script>window.planted=1</script>"


@dataclass
class Hostile:
    """What was made; `ids` are in the order of TEXTS."""

    path: Path
    client: Client
    ids: list[RunId]


def make(path: Path) -> Hostile:
    """Fill the home at `path`: for each text a failed run and one that is held; a deleted and a good one."""
    client = open_client(path)
    client.refresh()
    specs = [a_spec(text, number, is_queued=False) for number, text in enumerate(TEXTS)]
    waiting = [a_spec(text, number, is_queued=True) for number, text in enumerate(TEXTS)]
    gone = a_spec(TEXTS[0], 99, is_queued=False)
    good = a_spec(TEXTS[7], 98, is_queued=False)
    client.submit([*specs, *waiting, gone, good])
    for spec, text in zip(specs, TEXTS, strict=True):
        play(client, spec, text)
    play(client, gone, TEXTS[0])
    play(client, good, TEXTS[7], state="COMPLETED")
    client.index.catch_up()
    for spec, text in zip(waiting, TEXTS, strict=True):
        client.hold([spec.id], why=text, by=text[:200])
    put(client, [gone.id])
    return Hostile(path, client, [spec.id for spec in specs])


def a_spec(text: str, number: int, *, is_queued: bool) -> RunSpec:
    return RunSpec(
        id=new_run_id(),
        project=PROJECT,
        name=text,
        created_at=datetime.now(UTC),
        experiment=text,
        grid=text,
        config={text: text, "lr": number, "section": {text: [text, {text: text}]}, "note": text},
        changed={text: text, "lr": number},
        config_id=f"{number:064x}",
        group=f"{number:064x}",
        seed=number,
        tags=(text, "a"),
        note=text,
        user=text,
        host=text,
        project_dir=text.replace("\0", ""),
        data=text,
        command=(text, text),
        is_queued=is_queued,
    )


def play(client: Client, spec: RunSpec, text: str, *, state: str = "FAILED") -> None:
    """An attempt that logged the text wherever text can be logged."""
    attempt = client.folder(spec.id).attempt(1)
    attempt.path.mkdir(parents=True)
    now = time.time_ns() - 60_000_000_000
    host = JournalWriter(attempt.journal(HOST), run=spec.id, attempt=1, stream=HOST)
    main = JournalWriter(attempt.journal(MAIN), run=spec.id, attempt=1, stream=MAIN)
    host.event(
        Started(time_ns=now, host=text, user=text, pid=1, devices=(text,), device_names=(text,), command=(text,))
    )
    host.event(
        Environment(time_ns=now, python=text, platform=text, driver=text, packages={text: text}, variables={text: text})
    )
    host.event(Output(time_ns=now, text=f"{text}\nbefore\rafter {text}\x07\n"))
    keys = (text, f"{text}/{text}" if len(text) < 1000 else "long/key", "loss", "sys/cpu_percent")
    schema = main.declare(keys)
    main.append(b"".join(schema.encode(step, now + step, [step * 0.5] * len(keys)) for step in range(20)))
    main.event(Progress(time_ns=now, done=1, total=2, label=text))
    main.event(Warned(time_ns=now, text=text))
    log_media(main, text, now)
    sha256 = client.artifacts.put_bytes(b"<script>window.planted=1</script>")
    host.event(ArtifactStored(time_ns=now, name=text, sha256=sha256, size_bytes=33, kind=text))
    if state == "FAILED":
        main.event(Failed(time_ns=now, type=text, message=text, traceback=f"{text}\n  {text}", fingerprint=text[:64]))
    host.event(Ended(time_ns=now, state=state, reason=text, exit_code=1))
    main.close()
    host.close()


def log_media(main: JournalWriter, text: str, now: int) -> None:
    picture, meta = encode_image([[0, 255], [255, 0]])
    table, table_meta = encode_table([{text: text, "n": 1}])
    matrix, matrix_meta = encode_predictions([0, 1], [1, 1], labels=[text, "b"])
    for kind, mime, data, found in (
        ("image", "image/png", picture, meta | {"caption": text}),
        ("table", "application/json", table, table_meta),
        ("confusion_matrix", "application/json", matrix, matrix_meta),
        ("text", "text/plain", text.encode(), {"caption": text}),
        ("text", "text/html", text.encode(), {}),
        (text[:50], "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.planted=1'/>", {}),
    ):
        main.event(Media(time_ns=now, key=text, step=1, kind=kind, mime=mime, data=data, meta=found))


if __name__ == "__main__":
    made = make(Path(sys.argv[1]))
    made.client.close()
    print(*made.ids)
