"""Both databases hold, find and sort the same text."""

from sqlalchemy import insert, select

from runyard.database import Database
from runyard.database.schema import run_config, run_tags

ODD = ["", "\0", "\0\0", "\0a", "\1", "\1\2", "\2", "a", "a\0", "a\0b", "a\1", "ab", "A", "Z", "_", "ß", "\ufffe", "😀"]


def store(database: Database, texts: list[str]) -> None:
    with database.transaction() as tx:
        tx.execute(insert(run_tags), [{"run_id": "r1", "tag": text} for text in texts])


def test_texts_come_back_in_the_order_of_their_code_points(database: Database) -> None:
    store(database, ODD)

    with database.read() as tx:
        found = list(tx.scalars(select(run_tags.c.tag).order_by(run_tags.c.tag)))

    assert found == sorted(ODD)


def test_every_text_is_found_by_itself_alone(database: Database) -> None:
    store(database, ODD)

    with database.read() as tx:
        found = {text: list(tx.scalars(select(run_tags.c.tag).where(run_tags.c.tag == text))) for text in ODD}

    assert found == {text: [text] for text in ODD}


def test_long_keys_that_differ_at_their_end_are_two(database: Database) -> None:
    long = [f"{'ü' * 3000}{number}" for number in range(3)]
    store(database, long)

    with database.read() as tx:
        found = [tx.scalars(select(run_tags.c.run_id).where(run_tags.c.tag == text)).all() for text in long]

    assert found == [["r1"]] * 3


def test_a_setting_may_be_longer_than_an_index_holds(database: Database) -> None:
    text = "".join(chr(33 + (number * number * 7919) % 90) for number in range(20_000))
    with database.transaction() as tx:
        tx.execute(insert(run_config).values(run_id="r1", key="k", text=text))

    with database.read() as tx:
        assert tx.scalar(select(run_config.c.text)) == text
