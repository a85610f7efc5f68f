"""The team's server, as seen from a machine that works with it."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli.commands import server
from runyard.cli.options import Json, Runs

app = typer.Typer(rich_markup_mode=None)
app.add_typer(server.app, name="server")


@app.command("login")
def login(
    url: Annotated[str, typer.Argument(metavar="URL", show_default=False)],
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token (or read it from standard input), not for a password.")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="The certificate that signed the server's.")
    ] = None,
) -> None:
    """Join the team's server: asks for name and password, and keeps a token for this machine.

    From then on every command means the server, on this machine and in your account.

    \b
    runyard login https://runyard.example
    runyard login https://runyard.example --token < token.txt
    """
    from runyard.cli import login as command

    command.login(url, is_token_given=token, ca_file=ca_file)


@app.command("logout")
def logout() -> None:
    """Leave the team's server: the token is revoked and forgotten.

    \b
    runyard logout
    """
    from runyard.cli import login as command

    command.logout()


@app.command("whoami")
def whoami(as_json: Json = False) -> None:
    """Which server is meant, and for whom it takes this machine.

    \b
    runyard whoami
    """
    from runyard.cli import login as command

    command.whoami(as_json=as_json)


@app.command("push")
def push(
    runs: Runs = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All ended runs that match.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring ended runs of this machine's home to the team's server, with journals, files, code, tags and notes.

    What is there already is left alone, so it may be done again at any time.

    \b
    runyard push 8fk2
    runyard push --where '"paper" in tags'
    """
    from runyard.cli import carrying as command

    command.push(runs=runs, where=where, as_json=as_json)


@app.command("pull")
def pull(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", show_default=False)] = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All ended runs that match.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring ended runs of the team's server into this machine's home, to have them without the server.

    \b
    runyard pull 8fk2
    RUNYARD_URL=local runyard show 8fk2
    """
    from runyard.cli import carrying as command

    command.pull(runs=runs, where=where, as_json=as_json)


@app.command("sync")
def sync(
    dry: Annotated[bool, typer.Option("--dry", help="Only say what is on its way.")] = False, as_json: Json = False
) -> None:
    """Bring to the team's server what this machine executed while it was away.

    Supervisors and workers do so by themselves; this is for what they left, and to see that all has arrived.

    \b
    runyard sync
    runyard sync --dry
    """
    from runyard.cli import sync as command

    command.sync(dry=dry, as_json=as_json)
