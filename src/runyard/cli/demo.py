"""`runyard demo`: a packed demo is made, checked and opened."""

from pathlib import Path

import typer

from runyard.apps.demo import Check, Packed
from runyard.apps.demo import check as check_folder
from runyard.apps.demo import pack as pack_folder
from runyard.apps.demo.layout import APP_FOLDER, SCRIPT
from runyard.apps.demo.packing import read_pack
from runyard.apps.demo.rehearsing import chosen
from runyard.apps.show import starting
from runyard.apps.show.serving import free_port, serve
from runyard.apps.words import language
from runyard.cli import documents, formats, screen, showing, target
from runyard.cli.project.explore import told
from runyard.errors import ServiceError
from runyard.project.project import find_project


def pack(
    *,
    run: str,
    out: Path | None,
    compare: str | None,
    lang: str,
    with_wheels: bool,
    is_redacted: bool,
    as_json: bool,
) -> None:
    """Pack the page of the project that the current folder lies in."""
    project = find_project()
    code = language(lang).value if lang else ""
    with target.opened() as client:
        rows = [showing.find_run(client, text) for text in (run, compare) if text]
        folder = out or Path(f"demo-{project.name}-{rows[0].id}")
        packed = pack_folder(
            client,
            project,
            [row.id for row in rows],
            folder,
            language=code,
            with_wheels=with_wheels,
            is_redacted=is_redacted,
            tell=lambda what: screen.remark(f"Packing {what} …"),
        )
    if as_json:
        documents.write(_packed(packed))
        return
    screen.say(
        f"{screen.plain(folder)}: {formats.plural(packed.files, 'file')}, {formats.size(packed.size_bytes)}"
        f"{'' if with_wheels else ', without packages (--wheels adds them)'}"
    )
    for remark in packed.remarks:
        screen.remark(screen.plain(remark))
    screen.remark(f"Next: runyard demo check {screen.plain(folder)}")


def check(*, folder: Path, as_json: bool) -> None:
    """Show all pages without a network; exit with 1 if anything is wrong."""
    read_pack(folder)
    if not as_json:
        screen.remark("Showing every page without a network, which takes some seconds …")
    found = check_folder(folder)
    if as_json:
        documents.write(_checked(found))
    else:
        _say(found)
    if not found.is_in_order:
        raise typer.Exit(1)


def open_(*, folder: Path, lang: str, port: int | None, is_browser_wanted: bool) -> None:
    """Serve a packed demo on loopback until Ctrl-C."""
    about = read_pack(folder)
    starting.require_streamlit()
    root = folder.absolute() / APP_FOLDER
    code = serve(
        root / SCRIPT,
        root=root,
        port=free_port(port),
        chosen=chosen(folder.absolute(), about.run, about.second, language(lang).value if lang else about.language),
        on_ready=lambda address: told(address, is_browser_wanted=is_browser_wanted),
    )
    if code:
        raise ServiceError(f"Streamlit ended with exit code {code}; it said why above.")


def _say(found: Check) -> None:
    for page in found.pages:
        state = screen.paint("ok  ", "green") if not page.problem else screen.paint("bad ", "red")
        screen.say(f"{state} {page.page:<10} {screen.plain(page.problem)}".rstrip())
    for place in found.outside:
        screen.say(f"{screen.paint('bad ', 'red')} tried to reach {screen.plain(place)}")
    if not found.outside:
        how = "system calls and Python" if found.is_traced else "Python"
        screen.say(f"{screen.paint('ok  ', 'green')} nobody tried to reach another machine ({how} watched)")
    if not found.is_blocked:
        screen.remark("The network could not be taken away here (unshare -n is not allowed); it was only watched.")


def _packed(packed: Packed) -> dict[str, object]:
    return {
        "folder": str(packed.folder),
        "run": packed.pack.run,
        "second": packed.pack.second or None,
        "files": packed.files,
        "size_bytes": packed.size_bytes,
        "remarks": list(packed.remarks),
    }


def _checked(found: Check) -> dict[str, object]:
    return {
        "is_in_order": found.is_in_order,
        "is_blocked": found.is_blocked,
        "is_traced": found.is_traced,
        "pages": [{"page": page.page, "problem": page.problem} for page in found.pages],
        "outside": list(found.outside),
    }
