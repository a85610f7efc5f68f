"""The libraries of the page are what npm published, unchanged, each with its licence."""

import hashlib
import json
from pathlib import Path

DASHBOARD = Path(__file__).parents[2] / "src" / "runyard" / "dashboard"
VENDOR = DASHBOARD / "vendor"


def test_every_vendored_file_is_listed_with_its_checksum_and_licence() -> None:
    listed = json.loads((VENDOR / "vendor.json").read_text())["files"]
    for entry in listed:
        assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
        assert entry["version"]
        assert entry["licence"] in {"MIT", "Apache-2.0"}
        assert (VENDOR / entry["licence_file"]).stat().st_size > 500
    present = {path.name for path in VENDOR.iterdir()} - {"vendor.json"}
    assert present == {entry["file"] for entry in listed} | {entry["licence_file"] for entry in listed}


def test_the_import_map_names_files_that_are_there() -> None:
    page = (DASHBOARD / "index.html").read_text()
    text = page.split('<script type="importmap">')[1].split("</script>")[0]
    for target in json.loads(text)["imports"].values():
        assert (DASHBOARD / target).is_file()


def test_the_page_names_no_other_place() -> None:
    namespace = "http://www.w3.org/2000/svg"  # a name, not an address
    for path in DASHBOARD.rglob("*"):
        if path.is_file() and path.parent != VENDOR:
            text = path.read_text().replace(namespace, "")
            assert "http://" not in text, path
            assert "https://" not in text, path


def test_text_reaches_the_page_as_text() -> None:
    for path in DASHBOARD.rglob("*.js"):
        if path.parent != VENDOR:
            text = path.read_text()
            for door in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
                assert door not in text, f"{door} in {path}"
