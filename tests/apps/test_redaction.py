"""What is nobody else's business is left out."""

import msgspec
import pytest

from runyard.apps.redaction import GONE, redacted, redacted_together
from tests.apps.builders import facts, subject
from tests.apps.seams import inspected, paths

SECRETS = ("anna", "ws7", "/srv/customer", "C:\\Users", "smb://", "anna@example.com")


def test_paths_users_and_hosts_are_gone_from_every_text() -> None:
    private = facts(
        name="anna-test",
        experiment="on WS7.example, again",
        note="anna@example.com: see /srv/customer/x.csv, C:\\Users\\Anna\\y and smb://nas/share (Anna)",
        tags=("for-anna",),
        config={"data.root": "/srv/customer/seams", "out": "runs/anna/out/a.txt", "lr": "0.01", "ratio": "1/2"},
        environment={"python": "3.12 /home/anna/venv/bin/python", "platform": "Linux"},
    )

    clean = redacted(subject(None, **msgspec.structs.asdict(private)))

    text = msgspec.json.encode(clean.facts).decode()
    assert not [secret for secret in SECRETS if secret.lower() in text.lower()]
    assert clean.facts.config["lr"] == "0.01"
    assert clean.facts.config["ratio"] == "1/2"
    assert clean.facts.config["data.root"] == GONE
    assert clean.facts.code == {"commit": "4be1c0ffee00", "changes": "uncommitted"}


def test_samples_keep_the_name_of_their_file() -> None:
    names = paths(10, "/srv/customer/anna")

    clean = redacted(subject(inspected(10, ids=names, paths=names))).predictions

    assert clean is not None
    assert clean.ids[:2] == ("seam-0000.png", "seam-0001.png")
    assert clean.paths == ()


def test_samples_whose_files_are_called_alike_are_numbered() -> None:
    names = [f"/srv/{folder}/a.png" for folder in range(10)]

    clean = redacted(subject(inspected(10, ids=names))).predictions

    assert clean is not None
    assert clean.ids[:2] == ("#1", "#2")


def test_one_sample_is_called_the_same_in_all_runs_that_are_compared() -> None:
    names = [f"/srv/{folder}/a.png" for folder in range(10)]

    one, other = redacted_together([subject(inspected(10, ids=names)), subject(inspected(10, ids=names[::-1]))])

    assert one.predictions
    assert other.predictions
    assert one.predictions.ids == other.predictions.ids[::-1] == tuple(f"#{number + 1}" for number in range(10))


@pytest.mark.parametrize("name", ["root", "ab", ""])
def test_names_that_tell_nothing_tear_no_holes(name: str) -> None:
    clean = redacted(subject(None, user=name, host="localhost", note="the root of a cab"))

    assert clean.facts.note == "the root of a cab"
