"""What a project's own page shows for each golden request, uploaded as a customer would; printed as JSON.

python trying_on_the_page.py GOLDEN      called in the project's folder
"""

import json
import re
import sys
from html import unescape
from pathlib import Path

from streamlit.testing.v1 import AppTest


def main(golden: Path) -> None:
    page = AppTest.from_file(Path("src/visualization/explore.py").absolute(), default_timeout=300).run()
    page.radio(key="page").set_value("try").run()
    shown = {}
    for path in sorted(golden.glob("*.png")):
        page.file_uploader(key="upload").set_value([(path.name, path.read_bytes(), "image/png")])
        page.run()
        assert not page.exception, [each.message for each in page.exception]
        assert not page.error, [each.value for each in page.error]
        html = " ".join(str(each.proto.body) for each in page.main.get("html"))
        name, *facts = map(unescape, re.findall(r'<div style="[^"]*">([^<]*)</div>', html))
        shown[name] = dict(zip(facts[::2], facts[1::2], strict=True))
    print(json.dumps(shown))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
