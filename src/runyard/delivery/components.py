"""What an image consists of, read from its files: Python packages and Debian packages, with versions and licences."""

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from runyard.delivery.archive import ImageArchive

_ABOUT = re.compile(r"(?P<place>.*site-packages/[^/]+\.dist-info)/(?P<file>.+)$")
_LICENCE = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*$|/licenses/", re.IGNORECASE)
_STATUS = "var/lib/dpkg/status"
_COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright$")


@dataclass(frozen=True)
class Component:
    """One package; `kind` is "pypi" or "deb", `licence` what it says about itself, or nothing."""

    kind: str
    name: str
    version: str
    licence: str = ""

    @property
    def purl(self) -> str:
        """Its address in the form that vulnerability scanners know."""
        place = "debian/" if self.kind == "deb" else ""
        return f"pkg:{self.kind}/{place}{self.name.lower().replace('_', '-')}@{self.version}"


@dataclass(frozen=True)
class Contents:
    """The components of an image, and the texts of their licences by file name."""

    components: list[Component]
    licences: dict[str, bytes]


def read_contents(archive: ImageArchive) -> Contents:
    """Read what an image consists of."""
    files = archive.read(_is_wanted)
    components = [_of_python(data) for path, data in files.items() if path.endswith(".dist-info/METADATA")]
    components += _of_debian(files.get(_STATUS, b"").decode(errors="replace"))
    licences: dict[str, bytes] = {}
    for path, data in files.items():
        if (about := _ABOUT.match(path)) and not path.endswith("METADATA"):
            package = Path(about["place"]).name.removesuffix(".dist-info")
            licences[_plain(f"python/{package}/{Path(about['file']).name}")] = data
        elif found := _COPYRIGHT.match(path):
            licences[_plain(f"debian/{found[1]}.txt")] = data
    return Contents(sorted(set(components), key=lambda each: (each.kind, each.name.lower())), licences)


def _plain(name: str) -> str:
    """A name that a list of checksums can hold, whatever a package of others calls its files."""
    return "".join(char if char.isprintable() and char != "\\" else "_" for char in name)


def sbom(contents: Contents, *, name: str, version: str, image_id: str) -> dict[str, Any]:
    """The list of components in CycloneDX 1.5."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, image_id)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": image_id,
                "name": name,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": image_id.removeprefix("sha256:")}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": each.purl,
                "name": each.name,
                "version": each.version,
                "purl": each.purl,
                **({"licenses": [{"license": {"name": each.licence}}]} if each.licence else {}),
            }
            for each in contents.components
        ],
    }


def licence_table(components: Iterable[Component]) -> str:
    """All components with their licences, as text."""
    lines = [f"{each.name} {each.version}: {each.licence or 'see its file'}" for each in components]
    return "\n".join(lines) + "\n"


def _is_wanted(path: str) -> bool:
    about = _ABOUT.match(path)
    if about:
        return path.endswith("/METADATA") or _LICENCE.search(path) is not None
    return path == _STATUS or _COPYRIGHT.match(path) is not None


def _of_python(metadata: bytes) -> Component:
    found = HeaderParser().parsestr(metadata.decode(errors="replace"))
    classifiers = [line for line in found.get_all("Classifier", []) if line.startswith("License ::")]
    licence = found.get("License-Expression") or (found.get("License") or "").strip().partition("\n")[0]
    if not licence and classifiers:
        licence = classifiers[0].rpartition("::")[2].strip()
    return Component("pypi", str(found["Name"]), str(found["Version"]), licence[:120])


def _of_debian(status: str) -> list[Component]:
    found = []
    for block in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        if "Package" in fields and "Version" in fields:
            found.append(Component("deb", fields["Package"], fields["Version"]))
    return found


def as_json(document: dict[str, Any]) -> bytes:
    """A document as indented JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
