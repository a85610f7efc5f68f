"""The options of `runyard server` and of what belongs to it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runyard.cli.server import Options

Home = Annotated[
    str | None, typer.Option("--home", metavar="FOLDER", help="What is served [RUNYARD_HOME, ~/.runyard].")
]
Database = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="postgresql://… instead of the file in the home.")
]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; 0.0.0.0 is everywhere.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")]
Names = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="NAME", help="A name by which the server is reached; may be repeated."),
]
Certificate = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate, in PEM.")]
Key = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, in PEM.")]
BehindProxy = Annotated[
    bool, typer.Option("--behind-proxy", help="A proxy does TLS: believe its X-Forwarded-* headers.")
]
Proxies = Annotated[
    list[str] | None,
    typer.Option("--proxy", metavar="ADDRESS", help="Where the proxy is [this machine]; may be repeated."),
]
LogJson = Annotated[bool, typer.Option("--log-json", help="Logs as JSON, a document a line.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
User = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Role = Annotated[str, typer.Argument(metavar="viewer|member|admin", show_default=False)]
Project = Annotated[str, typer.Argument(metavar="PROJECT", show_default=False)]

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
user_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Accounts of people.")
token_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Tokens of machines.")
project_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Who sees which projects.")
for _name, _app in (("user", user_app), ("token", token_app), ("project", project_app)):
    app.add_typer(_app, name=_name)


@app.callback()
def server(
    context: typer.Context,
    home: Home = None,
    database: Database = None,
    host: Host = "127.0.0.1",
    port: Port = 8420,
    names: Names = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    behind_proxy: BehindProxy = False,
    proxies: Proxies = None,
    no_accounts: Annotated[
        bool, typer.Option("--no-accounts", help="Whoever reaches it may do everything; on loopback alone.")
    ] = False,
    log_json: LogJson = False,
) -> None:
    """Serve a team: one place for the runs of all its machines. docs/server.md tells how to set it up.

    When it starts for the first time it prints a link, by which the admin chooses a password. Options stand before
    the commands below: they say which server is meant.

    \b
    runyard server
    runyard server --host 0.0.0.0 --name runyard.example --tls-cert cert.pem --tls-key key.pem
    runyard server --behind-proxy --name runyard.example
    runyard server user add mia --role member
    """
    from runyard.cli import server as command

    options = command.Options(
        home=home,
        database=database,
        host=host,
        port=port,
        names=tuple(names or ()),
        tls_cert=tls_cert,
        tls_key=tls_key,
        is_behind_proxy=behind_proxy,
        proxies=tuple(proxies or ()),
        has_accounts=not no_accounts,
        is_log_json=log_json,
    )
    context.obj = options
    if context.invoked_subcommand is None:
        command.server(options)


@app.command("install")
def install(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="FOLDER", help="Where to [where systemd looks].")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Who runs it, for a unit of the system.")
    ] = None,
) -> None:
    """Write a systemd unit with the options of the server.

    \b
    runyard server install
    runyard server --behind-proxy --name runyard.example install --user runyard
    """
    from runyard.cli import server_install as command

    command.install(_options(context), folder=folder, user=user)


@user_app.command("add")
def user_add(
    context: typer.Context,
    name: User,
    role: Annotated[str, typer.Option(metavar="viewer|member|admin", help="What they may do.")] = "member",
) -> None:
    """Make an account, and print a link by which its owner chooses a password.

    \b
    runyard server user add mia --role member
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.add_user(accounts, name, role)


@user_app.command("list")
def user_list(context: typer.Context, as_json: Json = False) -> None:
    """All accounts.

    \b
    runyard server user list
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.list_users(accounts, as_json=as_json)


@user_app.command("role")
def user_role(context: typer.Context, name: User, role: Role) -> None:
    """Give an account another role.

    \b
    runyard server user role mia admin
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.set_role(accounts, name, role)


@user_app.command("disable")
def user_disable(context: typer.Context, name: User) -> None:
    """Shut an account out: its sessions end, its tokens are refused.

    \b
    runyard server user disable mia
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.disable(accounts, name)


@user_app.command("enable")
def user_enable(context: typer.Context, name: User) -> None:
    """Let an account in again.

    \b
    runyard server user enable mia
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.enable(accounts, name)


@user_app.command("reset")
def user_reset(context: typer.Context, name: User) -> None:
    """Print a link by which somebody chooses a new password.

    \b
    runyard server user reset mia
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.reset(accounts, name)


@token_app.command("add")
def token_add(
    context: typer.Context,
    user: User,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What it is for, such as the machine's name.")],
    role: Annotated[str | None, typer.Option(metavar="viewer|member|admin", help="[that of its owner]")] = None,
    projects: Annotated[
        list[str] | None, typer.Option("--project", metavar="PROJECT", help="Only this one; may be repeated.")
    ] = None,
    days: Annotated[float | None, typer.Option(metavar="DAYS", help="How long it is good [for ever].")] = None,
) -> None:
    """Make a token of a user, and print it: the only time.

    \b
    runyard server token add mia --label ws3 --project weld-seam --days 90
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.add_token(accounts, user, label=label, role=role, projects=projects, days=days)


@token_app.command("list")
def token_list(
    context: typer.Context,
    user: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Tokens of a user, or of all: never what they are.

    \b
    runyard server token list mia
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.list_tokens(accounts, user, as_json=as_json)


@token_app.command("revoke")
def token_revoke(
    context: typer.Context, token: Annotated[str, typer.Argument(metavar="ID", show_default=False)]
) -> None:
    """Refuse a token from now on.

    \b
    runyard server token revoke 8fk2m3qdp0
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.revoke(accounts, token)


@project_app.command("private")
def project_private(context: typer.Context, project: Project) -> None:
    """Hide a project from all but its members and admins.

    \b
    runyard server project private weld-seam
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.make_private(accounts, project)


@project_app.command("open")
def project_open(context: typer.Context, project: Project) -> None:
    """Let all accounts see a project again.

    \b
    runyard server project open weld-seam
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.open_project(accounts, project)


@project_app.command("members")
def project_members(
    context: typer.Context,
    project: Project,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", show_default=False)] = None,
) -> None:
    """Say who belongs to a private project: these and nobody else. Without names: tell who does.

    \b
    runyard server project members weld-seam mia jon
    """
    from runyard.cli import server_accounts as command

    with command.opened(*_place(context)) as accounts:
        command.set_members(accounts, project, names or [])


def _options(context: typer.Context) -> "Options":
    options: Options = context.obj  # of the callback above; contexts hand it down
    return options


def _place(context: typer.Context) -> tuple[str | None, str | None]:
    options = _options(context)
    return options.home, options.database
