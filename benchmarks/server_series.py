"""How long does the server take for a chart of 100 series of 100,000 points?

    python benchmarks/server_series.py [--runs 100] [--points 100000]

A real server on loopback, asked by a client on the same machine. Medians in milliseconds.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from index_queries import a_spec, write_run  # type: ignore[import-not-found]  # beside this script
from server_runs import asked, serving  # type: ignore[import-not-found]  # beside this script

from runyard.client import open_client
from runyard.journal import Home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--points", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        for number in range(arguments.runs):
            write_run(home, a_spec(number), points=arguments.points)
        client = open_client(home)
        client.reindex()
        ids = [row.id for row in client.index.find(limit=None)]
        print(f"{len(ids)} runs of {arguments.points:,} points, 4 metrics", flush=True)
        with serving(Path(folder)) as http:
            whole: dict[str, Any] = {"runs": ids, "keys": ["val/loss"], "buckets": 600}
            for what, body in (
                ("one metric of all runs, 600 buckets", whole),
                ("… a tenth of the steps", whole | {"start": arguments.points // 2, "stop": arguments.points * 3 // 5}),
                ("… by relative time", whole | {"x": "relative"}),
                ("all metrics of one run", {"runs": ids[:1], "keys": client.index.keys(ids[0]), "buckets": 600}),
            ):
                took_ms, size = asked(http, "POST", "/api/v1/series", body)
                print(f"{what:48} {took_ms:8.1f} ms   {size:,} bytes   goal 150 ms", flush=True)
        took = []
        for _ in range(9):
            begin = perf_counter()
            client.index.bucketed_many(ids, "val/loss", 600)
            took.append(perf_counter() - begin)
        print(f"{'the same without HTTP':48} {median(took) * 1e3:8.1f} ms", flush=True)
        client.close()


if __name__ == "__main__":
    main()
