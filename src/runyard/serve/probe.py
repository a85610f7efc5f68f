"""Is the service of this container ready? For HEALTHCHECK, which then needs no shell and no curl.

python -m runyard.serve.probe                        exit 0 if /ready says so, else 1
python -m runyard.serve.probe --golden /model        also sends the golden requests, and compares the answers
"""

import argparse
import http.client
import json
import os
import sys
from pathlib import Path

TIMEOUT_S = 4.0


def main() -> int:
    """Ask; the exit code is the answer."""
    parser = argparse.ArgumentParser(description="Is the service ready?")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument("--golden", type=Path, metavar="MODEL", help="a model folder, whose golden requests are sent")
    asked = parser.parse_args()
    status, text = ask(asked.host, asked.port, "GET", "/ready")
    print(text)
    if status != 200:
        return 1
    return golden(asked.host, asked.port, asked.golden) if asked.golden else 0


def ask(host: str, port: int, method: str, path: str, body: bytes = b"", content_type: str = "") -> tuple[int, str]:
    """Send one request; status 0 if nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body or None, {"Content-Type": content_type} if content_type else {})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except OSError as problem:
        return 0, f"nobody answers at {host}:{port}: {problem}"
    finally:
        connection.close()


def golden(host: str, port: int, folder: Path) -> int:
    """Send the golden requests of a model folder; 1 if an answer is another than the golden one."""
    from runyard.serve.golden import FOLDER, differences, read_samples  # late: a health check needs none of it

    known = read_samples(folder)
    for sample in known.samples:
        data = (folder / FOLDER / sample.request).read_bytes()
        status, text = ask(host, port, "POST", "/predict", data, sample.content_type)
        found = json.loads(text) if status == 200 else None
        wrong = differences(sample.answer, found, known.tolerance) if status == 200 else [f"status {status}: {text}"]
        print(f"{sample.request}: {'; '.join(wrong) or 'the golden answer'}")
        if wrong:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
