"""SQLite and PostgreSQL answer the same, to the byte: rows after a reindex, queries, sorting, groups."""

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from runyard.client import Client, open_client
from runyard.journal.events import Noted, Renamed, Tagged
from tests.index.builders import Journal as AnyJournal
from tests.index.builders import a_spec, all_rows, at, days, ended, started
from tests.index.test_query import FOUND
from tests.postgresql import TEMPLATE, PostgreSQL

TEXTS = [
    *("", "b", "B", "a b", "_", "ä", "Z", "é", "e\u0301", "\0", "\0b", "\1", "😀", "\uffff", "%", "1", "None"),
    *("x" * 3000, "x" * 3000 + "y", "ü" * 499, "\0" * 600),
]
NUMBERS = [0, -0.0, 1, -1.5, 1e300, math.inf, -math.inf, 2**53, 10**30, 5e-324, True, False, None, [1, "a"], []]
SORTS = (
    *("id", "name", "experiment", "seed", "duration_s", "created_at", "started_at", "note", "attempt", "user"),
    *("config.number", "config.text", "config.deep.key", "metric:m", "metric:m.min", "metric:m.max", "metric:nan.last"),
)
QUERIES = [
    *("config.number == True", "config.number > -1", "config.number == 1e300", "config.number < 9e999"),
    *("config.number != None", 'config.number == [1, "a"]', "seed > 0.5", "seed <= 1e300", "seed == 1.0"),
    *('config.text == "B"', 'config.text > "Z"', 'config.text != ""', '"b" in config.text', f'name == "{"x" * 3000}"'),
    *('name < "a"', '"x" in name', '"\\u00e4" in tags', 'created_at > "9999-01-01"', "not (duration_s > 1)"),
    *("metric['m'].max > 3", "metric['nan'] == None", "metric['m'].count == 3.5", "attempt < 0.5"),
]


@dataclass
class Both:
    """One home, seen through either database."""

    sqlite: Client
    postgresql: Client


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL) -> Iterator[Both]:
    path = tmp_path_factory.mktemp("home")
    with postgresql_server.database(TEMPLATE) as url:
        found = Both(open_client(path), open_client(path, database=url))
        fill(found.sqlite)
        found.sqlite.refresh()
        found.postgresql.refresh()
        yield found
        found.sqlite.close()
        found.postgresql.close()


def fill(client: Client) -> None:
    """Runs with all that texts and numbers can be, in no order."""
    for number in range(60):
        run_id = f"r{(number * 37) % 60:02}"
        text, value = TEXTS[number % len(TEXTS)], NUMBERS[number % len(NUMBERS)]
        spec = a_spec(
            run_id,
            name=TEXTS[(number * 5) % len(TEXTS)],
            experiment=None if number % 4 == 0 else TEXTS[(number * 3) % len(TEXTS)],
            seed=None if number % 3 == 0 else (number * 7) % 5 - 2,
            tags=(text or "none", "ä"),
            config={"number": value, "text": text, "deep": {"key": TEXTS[(number * 11) % len(TEXTS)]}},
            created_at=days(number % 7),
            group=f"g{number % 9}",
            is_queued=number % 4 == 1,
        )
        client.submit([spec])
        if number % 4 == 1:
            continue
        attempt = client.folder(run_id).attempt(1)
        numbers = [float(each) for each in NUMBERS[:8] if isinstance(each, int | float)]
        values = [numbers[(number + step) % 8] for step in range(3)]
        main = AnyJournal(attempt.journal("main"), run=run_id, attempt=1, stream="main")
        main.log_many(range(3), {"m": values, "nan": [1.0, 2.0, math.nan]} | {text or "empty": values})
        host = AnyJournal(attempt.journal("host"), run=run_id, attempt=1, stream="host")
        host.event(
            started(number % 5), ended(number % 5 + number % 3, ["COMPLETED", "FAILED"][number % 2], reason=text)
        )
        edits = AnyJournal(client.folder(run_id).edits, run=run_id, attempt=0, stream="edits")
        edits.event(Tagged(time_ns=at(1), add=(f"{text}!",), remove=("none",)), Noted(time_ns=at(2), text=text))
        if number % 5 == 0:
            edits.event(Renamed(time_ns=at(3), name=f"{text}{number}"))
        for journal in (main, host, edits):
            journal.close()


def listed(client: Client, sort: str, query: str | None = None) -> list[str]:
    return [row.id for row in client.index.find(query, sort=sort, limit=None)]


def test_every_row_of_every_table_is_the_same_after_a_reindex(both: Both) -> None:
    both.sqlite.reindex()
    both.postgresql.reindex()

    assert all_rows(both.postgresql.database) == all_rows(both.sqlite.database)


def test_the_queue_is_the_same_after_a_reindex(both: Both) -> None:
    def order(client: Client) -> list[tuple[str, str, int, float]]:
        return [(row.run_id, row.state, row.priority, row.position) for row in client.queue.rows()]

    assert order(both.postgresql) == order(both.sqlite)


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("sort", SORTS)
def test_runs_are_sorted_alike(both: Both, sort: str, sign: str) -> None:
    assert listed(both.postgresql, sign + sort) == listed(both.sqlite, sign + sort)


@pytest.mark.parametrize("query", QUERIES + [query for query, _ in FOUND])
def test_queries_find_the_same(both: Both, query: str) -> None:
    assert listed(both.postgresql, "id", query) == listed(both.sqlite, "id", query)


def test_what_the_command_prints_is_the_same_to_the_byte(both: Both) -> None:
    home = both.sqlite.home.path

    def printed() -> bytes:
        command = [sys.executable, "-m", "runyard.cli.main", "--home", str(home), "runs", "--json", "--limit", "100"]
        return subprocess.run([*command, "--sort", "-config.number"], check=True, capture_output=True).stdout

    from_sqlite = printed()
    (home / "database.url").write_text(str(both.postgresql.database.engine.url.set(drivername="postgresql")))
    try:
        from_postgresql = printed()
    finally:
        (home / "database.url").unlink()

    assert from_postgresql == from_sqlite
    assert from_sqlite.count(b'"config_id"') == 60


def test_series_and_metrics_are_the_same(both: Both) -> None:
    ids = listed(both.sqlite, "id")

    for run_id in ids:
        keys = both.sqlite.index.keys(run_id)
        assert both.postgresql.index.keys(run_id) == keys
        for key in keys:
            ours, theirs = both.postgresql.index.series(run_id, key), both.sqlite.index.series(run_id, key)
            assert (ours.steps == theirs.steps).all()
            assert ours.values.tobytes() == theirs.values.tobytes()
