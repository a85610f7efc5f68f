"""`runyard ui`: the dashboard, on this machine and for this machine."""

import webbrowser

from runyard.cli import screen
from runyard.client import open_client
from runyard.server import choose_port, create_app, serve


def ui(*, port: int | None, is_browser_wanted: bool) -> None:
    """Serve the dashboard on loopback until Ctrl-C."""
    listener = choose_port(port)
    client = open_client()
    try:
        client.refresh()
    finally:
        client.close()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"

    def ready() -> None:
        screen.say(f"The dashboard is at {address}   Ctrl-C ends it.")
        if is_browser_wanted:
            webbrowser.open(address)

    serve(create_app(), listener, on_ready=ready)
