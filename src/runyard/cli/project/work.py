"""`run.py work`: a worker, and what it does, on the screen."""

from pathlib import Path

from runyard.cli import screen
from runyard.cli.live import LiveLines, LivePage
from runyard.cli.project.train import parse_gpus
from runyard.client import open_client
from runyard.devices import Slot, discover
from runyard.errors import UsageError
from runyard.worker import local_worker


def work(folder: Path, *, gpus: str | None, cpu: bool, slots: int | None, drain: bool, cold: bool) -> None:
    """Work the queue of the home, until asked to stop or, with `drain`, until it is empty."""
    client = open_client()
    client.refresh()
    page = LivePage(client) if screen.is_terminal() else LiveLines(client)
    chosen = _choose(discover(parse_gpus(gpus), cpu=cpu), slots)
    if client.home.server_url:
        page.say(f"Working for the server {client.home.server_url}, as far as it can be reached.")
    worker = local_worker(client, chosen, is_warm=not cold, say=page.say)
    with page:
        worker.run(drain=drain, on_tick=page.show)
    page.conclude()
    client.close()


def _choose(slots: list[Slot], count: int | None) -> list[Slot]:
    if count is None:
        return slots
    if count < 1:
        raise UsageError(f"--slots {count}: a worker needs at least one.")
    return [slot for slot in slots if slot.is_gpu] + [slot for slot in slots if not slot.is_gpu][:count]
