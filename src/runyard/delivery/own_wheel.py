"""The Runyard that builds an image, as a wheel for that image: the same version on both sides, and no network needed.

What is installed is packed again, from an ordinary installation or from a checkout. The template is left out, since
nobody makes projects in a container.
"""

import base64
import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

import runyard

_LEFT_OUT = {"_template", "__pycache__", "dashboard"}


def write_own_wheel(folder: Path) -> Path:
    """Write runyard-VERSION-py3-none-any.whl into a folder."""
    package = Path(runyard.__file__).parent
    version = importlib.metadata.version("runyard")
    about = f"runyard-{version}.dist-info"
    files = {
        f"runyard/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(package).parts)
    }
    files[f"{about}/METADATA"] = _metadata()
    files[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: runyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,", ""]).encode()
    wheel = folder / f"runyard-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)  # the same bytes whenever it is made
    return wheel


def _metadata() -> bytes:
    distribution = importlib.metadata.distribution("runyard")
    text = (
        distribution.read_text("METADATA") or f"Metadata-Version: 2.1\nName: runyard\nVersion: {distribution.version}\n"
    )
    return text.encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
