"""`runyard ui`: the dashboard, on this machine and for this machine."""

import threading
import webbrowser

from runyard.cli import screen
from runyard.cli.progress import progress_bar
from runyard.client import open_client
from runyard.journal import Home
from runyard.journal.dashboards import announced
from runyard.server import choose_port, create_app, serve


def ui(*, port: int | None, is_browser_wanted: bool) -> None:
    """Serve the dashboard on loopback until Ctrl-C."""
    with choose_port(port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        _rebuild_if_needed()

        def ready() -> None:
            screen.say(f"The dashboard is at {address}   Ctrl-C ends it.")
            if is_browser_wanted:  # some browsers let their caller wait
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        with announced(Home.open(), address):
            serve(create_app(), listener, on_ready=ready)


def _rebuild_if_needed() -> None:
    client = open_client()
    try:
        if client.index.needs_reindex:
            with progress_bar("Reading runs") as progress:
                client.reindex(progress)
    finally:
        client.close()
