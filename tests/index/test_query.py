"""The query language: what it finds, and what it says when it does not understand."""

from pathlib import Path

import pytest

from runyard.errors import QueryError
from runyard.index.query import compile_query
from runyard.journal.events import Renamed
from tests.index.builders import Yard, a_spec, at, days, ended, started


@pytest.fixture
def runs(yard: Yard) -> Yard:
    """Three runs: a good one, a failed one, and one that has logged nothing."""
    yard.add(
        a_spec(
            "good",
            tags=("baseline", "it's"),
            seed=1,
            experiment="lr",
            note="50% better",
            created_at=days(0),
            config={"optim": {"lr": 0.01, "name": "adam"}, "amp": True, "layers": [64, 32], "none": None, "a.b": 1},
        )
    )
    yard.journal("good").log_many(range(3), {"val/accuracy": [0.5, 0.9, 0.8], "loss": [1.0, 0.2, 0.3]})
    yard.journal("good", stream="host").event(started(0), ended(90))
    yard.add(
        a_spec("bad", seed=2, created_at=days(1), config={"optim": {"lr": 1, "name": "SGD"}, "amp": False, "only": "x"})
    )
    yard.journal("bad").log_many(range(2), {"val/accuracy": [0.1, float("nan")]})
    yard.journal("bad", stream="host").event(started(0), ended(30, "FAILED"))
    yard.add(a_spec("idle", project="paint", created_at=days(2), is_queued=True, config={"optim": {"lr": "auto"}}))
    yard.edit(Renamed(time_ns=at(1), name="Idle ✓"), run_id="idle")
    yard.index.catch_up()
    return yard


FOUND = [
    ("", "good bad idle"),
    ("  ", "good bad idle"),
    ('state == "FAILED"', "bad"),
    ('state == "failed"', "bad"),
    ('state in ["FAILED", "QUEUED"]', "bad idle"),
    ('state not in ("FAILED", "QUEUED")', "good"),
    ('not state == "FAILED"', "good idle"),
    ('project == "weld" and state != "FAILED"', "good"),
    ("seed == 1 or seed == 2", "good bad"),
    ("seed < 99999999999999999999999", "good bad"),
    ("seed != 1", "bad"),
    ("not seed == 1", "bad idle"),
    ("seed == None", "idle"),
    ("seed != None", "good bad"),
    ("1 < seed <= 2", "bad"),
    ("2 > seed", "good"),
    ("duration_s > 60", "good"),
    ("attempt == 0", "idle"),
    ('id == "good"', "good"),
    ('name == "Idle ✓"', "idle"),
    ('"Idle" in name', "idle"),
    ('"idle" in name', ""),
    ('"50%" in note', "good"),
    ('"5_%" in note', ""),
    ('"o" in name', "good"),
    ('"x" in experiment', ""),
    ('not "x" in experiment', "good bad idle"),
    ('experiment == "lr"', "good"),
    ("experiment == None", "bad idle"),
    ('"baseline" in tags', "good"),
    ('"it\'s" in tags', "good"),
    ('"baseline" not in tags', "bad idle"),
    ('created_at > "2026-02-01"', "bad idle"),
    ('created_at >= "2026-01-31T13:00+01:00"', "good bad idle"),
    ('"2026-02-01" < created_at < "2026-02-02T00:00"', "bad"),
    ('ended_at < "2026-02-01"', "good bad"),
    ("config.optim.lr < 0.1", "good"),
    ("config.optim.lr <= 1", "good bad"),
    ("not (config.optim.lr < 0.1)", "bad idle"),
    ("config.optim.lr != 0.01", "bad idle"),
    ('config.optim.lr == "auto"', "idle"),
    ('config["optim.lr"] == 1', "bad"),
    ('config["optim"]["lr"] == 1', "bad"),
    ('config.optim["lr"] == 1.0', "bad"),
    ('config["a.b"] == 1', "good"),
    ('config.optim.name in ["adam", "lion"]', "good"),
    ('config.optim.name not in ["adam", "lion"]', "bad"),
    ('not config.optim.name in ["adam"]', "bad idle"),
    ('"da" in config.optim.name', "good"),
    ('config.optim.name < "a"', "bad"),
    ("config.amp", "good"),
    ("not config.amp", "bad idle"),
    ("config.amp == False", "bad"),
    ("config.amp == 1", ""),
    ("config.layers == [64, 32]", "good"),
    ("config.layers != [64]", "good"),
    ("config.none == None", "good bad idle"),
    ("config.only == None", "good idle"),
    ("config.only != None", "bad"),
    ("config.nowhere != 3", ""),
    ("not (config.nowhere == 3)", "good bad idle"),
    ('metric["val/accuracy"].max > 0.5', "good"),
    ('metric["val/accuracy"] == 0.8', "good"),
    ('metric["val/accuracy"].last == 0.8', "good"),
    ('not metric["val/accuracy"] > 0.8', "good bad idle"),
    ("metric.loss.min < 0.25", "good"),
    ("metrics.loss < 0.5", "good"),
    ("metrics.loss.count == 3", "good"),
    ('metric["val/accuracy"].min_step == 0', "good bad"),
    ('metric["val/accuracy"] == None', "bad idle"),
    ('metric["val/accuracy"] != None', "good"),
    ('metric["val/accuracy"].count != None', "good bad"),
    ("metric.loss.min > -1", "good"),
    ("True", "good bad idle"),
    ("not True", ""),
    ("seed in []", ""),
    ("seed not in []", "good bad"),
    ('config.optim.lr < 0.1 and (metric.loss < 1 or state == "FAILED") and not "x" in tags', "good"),
    ('(state == "FAILED"\n or seed == 1)', "good bad"),
]


@pytest.mark.parametrize(("query", "expected"), FOUND)
def test_a_query_finds(runs: Yard, query: str, expected: str) -> None:
    found = runs.index.find(query, sort="created_at")

    assert [run.id for run in found] == expected.split()
    assert runs.index.count(query) == len(found)


NOT_UNDERSTOOD = [
    ("stat == 1", "'stat' is no field. Did you mean 'state'?", "stat"),
    ("lr < 0.1", 'Write config.lr for a setting, metric["lr"] for a metric.', "lr"),
    ("state == FAILED", "'FAILED' is no value. Text needs quotes: \"FAILED\".", "FAILED"),
    ('state == "FAILD"', "'FAILD' is no state. Did you mean 'FAILED'?", '"FAILD"'),
    ('metric["loss"].maximum > 1', "A metric has no 'maximum'. Did you mean 'max'?", 'metric["loss"].maximum'),
    ("metric.loss == 'high'", "A metric is a number; ''high'' is none.", "'high'"),
    ("seed == True", "seed is a number; 'True' is none.", "True"),
    ('seed == "1"', "seed is a number", '"1"'),
    ("name == 3", "name is compared with a text in quotes", "3"),
    ('created_at > "yesterday"', "'yesterday' is no time. Write 2026-01-31", '"yesterday"'),
    ("created_at > 2026", "created_at is compared with a text in quotes", "2026"),
    ("state", "'state' needs a comparison, e.g. state == \"FAILED\".", "state"),
    ("metric.loss and seed == 1", "'metric.loss' needs a comparison, e.g. metric.loss > 0.", "metric.loss"),
    ("tags == 'x'", "Tags are asked for with 'in', e.g. \"baseline\" in tags.", "'x'"),
    ("3 in tags", "'3' is no text.", "3"),
    ('"x" in seed', "'seed' is no text, so nothing can be in it.", "seed"),
    ('state in "FAILED"', "is no list", '"FAILED"'),
    ("state == ['FAILED']", "A list goes with 'in'", "['FAILED']"),
    ("config", "'config' needs a key, e.g. config.lr.", "config"),
    ("state.name == 1", "'state' has no parts", "state.name"),
    ("config.lr is None", "Write '== None' instead of 'is None'", "config.lr"),
    ("config.lr < True", "'True' has no order", "True"),
    ("config.lr < None", "None is compared with '==' or '!=' only.", "None"),
    ("1 == 1", "'1' and '1' are both values; one must be a field.", "1"),
    ("seed == attempt", "'attempt' is no value.", "attempt"),
    ("seed == 1 & attempt == 2", "is no value", "1 & attempt"),
    ("(seed == 1) & (attempt == 2)", "Write 'and' instead of '&'.", "(seed == 1) & (attempt == 2)"),
    ("seed + 1 == 2", "'seed + 1' is no field.", "seed + 1"),
    ("__import__('os').system('x') == 1", "is a call; a query cannot call anything.", "__import__('os').system('x')"),
    ("[x for x in tags] == 1", "is no field", "[x for x in tags]"),
    ("(lambda: 1)", "is no condition", "lambda: 1"),
    ("note == '\\0'", "This text holds a character that no text in a database can hold.", "'\\0'"),
    ("note == '\\ud800'", "This text holds a character that no text in a database can hold.", "'\\ud800'"),
    ("project == 'ü' and stat == 1", "Did you mean 'state'?", "stat"),
    ("config.lr == 1j", "is no value", "1j"),
]


@pytest.mark.parametrize(("query", "message", "culprit"), NOT_UNDERSTOOD)
@pytest.mark.parametrize("indent", ["", "  "])
def test_a_query_that_is_not_understood_is_answered_with_the_place(
    query: str, message: str, culprit: str, indent: str
) -> None:
    with pytest.raises(QueryError) as caught:
        compile_query(indent + query)

    assert message in str(caught.value)
    found = (indent + query)[caught.value.position :][: caught.value.length]
    assert found == culprit


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("state = 'FAILED'", "write '==' instead of '='"),
        ("seed == 1 && attempt == 1", "Write 'and'."),
        ("seed == 1 || attempt == 1", "Write 'or'."),
        ("!config.amp", "Write 'not' or '!='."),
        ("seed ==", "The query cannot be read at"),
        ("(" * 500 + "seed == 1" + ")" * 500, "cannot be read"),
        ("not " * 100 + "config.amp", "nested deeper than 40 levels"),
        (" and ".join(["seed == 1"] * 201), "more than 200 comparisons"),
        ("seed == 1" + " " * 10_000, "10,009 characters; 10,000 are the most"),
        ("seed == 1\0", "cannot be read"),
    ],
)
def test_a_text_that_is_no_expression_is_answered_in_a_sentence(query: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        compile_query(query)

    assert message in str(caught.value)
    assert str(caught.value).endswith((".", "tags"))


def test_as_many_comparisons_as_are_allowed_can_be_executed(runs: Yard) -> None:
    many = " or ".join([f"metric.k{number}.max > {number}" for number in range(199)] + ["seed == 1"])
    deep = "not (" * 38 + "seed == 1" + ")" * 38

    assert [run.id for run in runs.index.find(many)] == ["good"]
    assert [run.id for run in runs.index.find(deep)] == ["good"]


def test_text_of_users_never_becomes_sql(runs: Yard) -> None:
    for evil in ("x'; DROP TABLE runs; --", 'x"; DROP TABLE runs; --', "?", ":name", "%s", "{0}"):
        quoted = repr(evil)
        assert runs.index.find(f"note == {quoted} or config[{quoted}] == 1 or metric[{quoted}] > 1") == []
        assert len(runs.index.find(sort=f"-metric:{evil}.max")) == 3
        assert len(runs.index.find(sort=f"config[{quoted}]")) == 3

    assert len(runs.index.find()) == 3


def test_every_query_in_the_documentation_works(runs: Yard) -> None:
    text = (Path(__file__).parents[2] / "docs" / "query-language.md").read_text()
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    queries = [
        line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.split("#")[0].strip()
    ]
    assert len(queries) > 20

    for query in queries:
        runs.index.find(query)
