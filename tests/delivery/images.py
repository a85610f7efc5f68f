"""Saved images made by hand, and an engine that knows one of them: what stands before and after a container engine is
tested everywhere, the engine itself where there is one (`test_containers.py`)."""

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

TAG = "localhost/weld-seam:1"
METADATA = b"Metadata-Version: 2.1\nName: NumPy\nVersion: 2.4.6\nLicense-Expression: BSD-3-Clause\n\nArrays.\n"
STATUS = b"Package: bash\nStatus: installed\nVersion: 5.2\n\nPackage: libc6\nVersion: 2.36\nDescription: x\n more\n"

BASE = {
    "var/lib/dpkg/status": STATUS,
    "usr/share/doc/bash/copyright": b"GPL-3+",
    "usr/lib/python3/tests/x.py": b"",
    "etc/old": b"old",
}
OURS = {
    "venv/lib/python3.12/site-packages/numpy-2.4.6.dist-info/METADATA": METADATA,
    "venv/lib/python3.12/site-packages/numpy-2.4.6.dist-info/licenses/LICENSE.txt": b"BSD",
    "app/src/train.py": b"pass",
    "etc/.wh.old": b"",
}


def saved_image(path: Path, layers: Sequence[Mapping[str, bytes]] = (BASE, OURS), tag: str = TAG) -> str:
    """Write a file as `docker save` does; return the id of the image."""
    packed = [_layer(files) for files in layers]
    document = {
        "config": {"User": "10001", "Healthcheck": {"Test": ["CMD", "python"]}},
        "rootfs": {"diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in packed]},
    }
    config = json.dumps(document).encode()
    identity = hashlib.sha256(config).hexdigest()
    with tarfile.open(path, "w") as tar:
        names = [_add(tar, f"{number}.tar", layer) for number, layer in enumerate(packed)]
        _add(tar, f"{identity}.json", config)
        manifest = [{"Config": f"{identity}.json", "RepoTags": [tag], "Layers": names}]
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return f"sha256:{identity}"


def engine_that_knows(image: Path, folder: Path) -> None:
    """A program `podman` in a folder for PATH: it saves that image, loads what comes, and tells its id."""
    program = folder / "podman"
    program.write_text(_PROGRAM.format(python=sys.executable, image=str(image), loaded=str(folder / "loaded.tar")))
    program.chmod(0o755)


def _layer(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in files.items():
            _add(tar, name, content)
    return data.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> str:
    about = tarfile.TarInfo(name)
    about.size = len(content)
    tar.addfile(about, io.BytesIO(content))
    return name


_PROGRAM = """#!{python}
import json, shutil, sys, tarfile
words = sys.argv[1:]
if words[0] == "save":
    shutil.copyfile({image!r}, words[words.index("--output") + 1])
elif words[0] == "load":
    with open({loaded!r}, "wb") as target:
        shutil.copyfileobj(sys.stdin.buffer, target)
elif "inspect" in words:
    with tarfile.open({loaded!r}) as tar:
        name = json.load(tar.extractfile("manifest.json"))[0]["Config"]
        layers = json.load(tar.extractfile(name))["rootfs"]["diff_ids"]
    print(" ".join(layers) if "Layers" in "".join(words) else name.removesuffix(".json"))
else:
    sys.exit("unknown: " + " ".join(words))
"""
