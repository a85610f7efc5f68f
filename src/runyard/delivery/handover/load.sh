#!/bin/sh
# Loads the image @TAG@ on a machine without network: checks every file, loads, compares the image's id.
# Needs Docker or Podman; ENGINE=podman chooses one.
set -eu
cd "$(dirname "$0")"

if command -v sha256sum >/dev/null; then
    sha256sum --quiet --check SHA256SUMS
else
    shasum -a 256 --quiet --check SHA256SUMS
fi
echo "All files are as they were packed."

engine=${ENGINE:-}
if [ -z "$engine" ]; then
    if command -v docker >/dev/null && docker info >/dev/null 2>&1; then engine=docker
    elif command -v podman >/dev/null; then engine=podman
    else echo "Neither Docker nor Podman can be used on this machine." >&2; exit 1; fi
fi

unpack="@UNPACK@"
command -v "${unpack%% *}" >/dev/null || unpack=cat # Docker and Podman then unpack it themselves
cat @PARTS@ | $unpack | "$engine" load
found=$("$engine" image inspect --format '{{.Id}}' "@TAG@")
if [ "${found#sha256:}" != "@ID@" ]; then # some engines count ids in another way; layers are counted alike by all
    layers=$("$engine" image inspect --format '{{range .RootFS.Layers}}{{.}} {{end}}' "@TAG@")
    if [ "$(echo $layers)" != "@LAYERS@" ]; then
        echo "The loaded image is ${found#sha256:}, but @ID@ was packed. Do not use it." >&2
        exit 1
    fi
fi
echo "@TAG@ is loaded and is the image that was packed. Next: $engine compose up -d, or see README.en.md."
