"""`runyard tensorboard`: runs as event files, and TensorBoard to look at them."""

import importlib.util
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from runyard.bridges.tensorboard.exporting import export_runs
from runyard.cli import formats, screen, target
from runyard.cli.progress import progress_bar
from runyard.errors import UsageError


def tensorboard(*, runs: list[str] | None, where: str | None, out: Path | None, port: int, system: bool) -> int:
    """Write runs as event files, into a folder to keep or for one look with TensorBoard; return its exit code."""
    if out is None and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("TensorBoard is not installed here: pip install tensorboard, or write the files with --out.")
    if out is not None:
        _write(runs, where, out, system=system)
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):  # neither TensorBoard nor its files may stay behind
        signal.signal(number, _end)
    with tempfile.TemporaryDirectory(prefix="runyard-tensorboard-") as folder:
        _write(runs, where, Path(folder), system=system)
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1"]
        screen.remark(f"TensorBoard is at http://127.0.0.1:{port}/ until Ctrl-C; its files go with it.")
        process = subprocess.Popen([*command, "--port", str(port)])
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # it got the signal, too
            return 0
        finally:
            process.terminate()
            process.wait()


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _write(runs: list[str] | None, where: str | None, out: Path, *, system: bool) -> None:
    with target.opened() as client:
        rows = target.find_runs(client, runs or [], where=where)
        if not rows:
            raise UsageError("No run matches. `runyard runs` shows what there is.")
        with progress_bar("event files") as tell:
            export_runs(client, rows, out, system=system, progress=lambda done, total, _: tell(done, total))
    screen.say(f"{formats.plural(len(rows), 'run')} written below {screen.plain(out)}.")
