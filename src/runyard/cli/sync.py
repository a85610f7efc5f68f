"""`runyard sync`: what this machine executed for the team's server and has not brought there yet."""

from runyard.cli import documents, formats, screen
from runyard.cli.progress import progress_bar
from runyard.client import open_client
from runyard.client.remote import RemoteClient, spool
from runyard.errors import UsageError


def sync(*, dry: bool, as_json: bool) -> None:
    """Bring what lies here, and say what is still on its way."""
    client = open_client()
    if not isinstance(client, RemoteClient):
        client.close()
        raise UsageError(
            "There is no server to bring anything to: this is a home of this machine. "
            "`runyard login URL` or RUNYARD_URL names one."
        )
    try:
        if not dry:
            with progress_bar("Bringing runs") as progress:
                spool.sync(client, progress)
        left = spool.left(client)
        files = client.artifacts.waiting()
        if as_json:
            documents.write({"server": client.server.url, "runs": left, "files": len(files)})
            return
        for each in left:
            what = "still runs" if each.is_executing else "waits"
            screen.say(f"{each.run_id}  attempt {each.attempt}  {formats.size(each.size_bytes)} on the way, {what}")
        if files:
            screen.say(f"{formats.plural(len(files), 'file')} on the way")
        if not left and not files:
            screen.say(f"Everything has arrived at {screen.plain(client.server.url)}.")
    finally:
        client.close()
