"""`run.py explore`: the customer's page, in a browser on this machine."""

import sys
import threading
import webbrowser
from pathlib import Path

from runyard.apps.show import starting
from runyard.apps.show.serving import free_port, serve
from runyard.apps.show.sources import resolve
from runyard.apps.words import language
from runyard.cli import screen
from runyard.client import open_client
from runyard.errors import ServiceError, UsageError
from runyard.project.project import find_project

SCRIPT = Path("src") / "visualization" / "explore.py"


def explore(
    folder: Path, *, run: str | None, compare: str | None, lang: str | None, port: int | None, is_browser_wanted: bool
) -> None:
    """Serve src/visualization/explore.py on loopback until Ctrl-C; everything is checked before Streamlit starts."""
    project = find_project(folder)
    script = project.root / SCRIPT
    if not script.is_file():
        raise UsageError(f"{project.root} has no {SCRIPT}, which is the page that explore opens.")
    chosen = {starting.LANGUAGE: language(lang).value} if lang else {}
    starting.require_streamlit()
    client = open_client()
    try:
        client.refresh()
        for variable, text in ((starting.RUN, run), (starting.SECOND, compare)):
            if text:
                chosen[variable] = resolve(client, project, text)
    finally:
        client.close()
    code = serve(
        script,
        root=project.root,
        port=free_port(port),
        chosen=chosen,
        on_ready=lambda address: told(address, is_browser_wanted=is_browser_wanted),
    )
    if code:
        raise ServiceError(f"Streamlit ended with exit code {code}; it said why above.")


def told(address: str, *, is_browser_wanted: bool) -> None:
    """Say where the page is, and open it."""
    screen.say(f"The page is at {address}   Ctrl-C ends it.")
    sys.stdout.flush()
    if is_browser_wanted:  # some browsers let their caller wait
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
