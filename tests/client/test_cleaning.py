"""Cleaning by rule: what is taken, what is spared, and the way back."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from runyard.client import checkpoints, cleaning, trash
from runyard.client.cleaning import Plan, Rule
from runyard.errors import ConflictError, NotFound, UsageError
from runyard.index import RunRow
from runyard.records import RunState
from tests.cli.builders import NOON, Yard

LATER = NOON + timedelta(days=40)


def goals(project: str) -> Mapping[str, str]:
    return {"val/accuracy": "max"} if project == "weld" else {}


def plan(yard: Yard, rule: Rule, *, days: float = 30, project: str | None = None) -> Plan:
    return cleaning.plan(yard.client, rule, now=LATER, older_than_days=days, project=project, goals=goals)


def with_checkpoint(yard: Yard, row: RunRow, size: int = 10_000) -> RunRow:
    folder = yard.client.folder(row.id).checkpoints
    folder.mkdir()
    (folder / "last.pt").write_bytes(b"c" * size)
    return row


def trained(yard: Yard, accuracy: float, **more: object) -> RunRow:
    made = yard.run(grid="g1", metrics={"val/accuracy": [accuracy]}, **more)  # type: ignore[arg-type]  # as Yard.run
    return with_checkpoint(yard, made)


def test_checkpoints_go_but_for_the_best_the_tagged_and_the_young(yard: Yard) -> None:
    poor, _, _ = trained(yard, 0.5), trained(yard, 0.9), trained(yard, 0.4, tags=("keep",))

    found = plan(yard, Rule.CHECKPOINTS)

    assert [item.id for item in found.items] == [poor.id]
    assert found.size_bytes >= 10_000
    assert found.kept == {"best of its grid": 1, "tagged": 1}
    assert plan(yard, Rule.CHECKPOINTS, days=50).kept == {"too young": 3}


def test_a_project_without_a_metric_keeps_its_checkpoints(yard: Yard) -> None:
    with_checkpoint(yard, yard.run(project="unknown"))

    found = plan(yard, Rule.CHECKPOINTS)

    assert found.items == ()
    assert found.kept == {"of a project that names no metric in runyard.toml": 1}


def test_cleaned_checkpoints_come_back_until_the_trash_is_emptied(yard: Yard) -> None:
    poor, _ = trained(yard, 0.5), trained(yard, 0.9)
    folder = yard.client.folder(poor.id).checkpoints
    cleaning.carry_out(yard.client, plan(yard, Rule.CHECKPOINTS))
    assert not folder.exists()

    checkpoints.restore(yard.client, [poor.id])
    assert (folder / "last.pt").stat().st_size == 10_000

    cleaning.carry_out(yard.client, plan(yard, Rule.CHECKPOINTS))
    freed = cleaning.carry_out(yard.client, plan(yard, Rule.TRASH))
    assert freed >= 10_000
    assert yard.client.index.get(poor.id).state == RunState.COMPLETED
    with pytest.raises(NotFound):
        checkpoints.restore(yard.client, [poor.id])


def test_newer_checkpoints_are_not_overwritten(yard: Yard) -> None:
    poor, _ = trained(yard, 0.5), trained(yard, 0.9)
    cleaning.carry_out(yard.client, plan(yard, Rule.CHECKPOINTS))
    with_checkpoint(yard, poor, size=7)

    with pytest.raises(ConflictError, match="newer checkpoints"):
        checkpoints.restore(yard.client, [poor.id])


def test_failed_runs_of_long_ago_go_to_the_trash_unless_they_are_tagged(yard: Yard) -> None:
    failed = yard.run(state=RunState.FAILED)
    yard.run(state=RunState.FAILED, tags=("look at it",))
    yard.run()

    cleaning.carry_out(yard.client, plan(yard, Rule.FAILED))

    assert yard.client.index.get(failed.id).trashed
    assert yard.client.index.count() == 2
    trash.restore(yard.client, [failed.id])
    assert yard.client.index.count() == 3


def test_a_plan_that_is_no_longer_true_is_not_carried_out(yard: Yard) -> None:
    yard.run(state=RunState.FAILED)
    seen = plan(yard, Rule.FAILED)
    yard.run(state=RunState.FAILED)

    with pytest.raises(ConflictError, match="Look again"):
        cleaning.carry_out(yard.client, plan(yard, Rule.FAILED), expected=seen.id)

    assert yard.client.index.count(None, trashed=True) == 0


def test_a_reindex_takes_no_checkpoints_of_the_trash_for_a_run(yard: Yard) -> None:
    trained(yard, 0.5), trained(yard, 0.9)
    cleaning.carry_out(yard.client, plan(yard, Rule.CHECKPOINTS))

    assert yard.client.reindex() == 2


def test_days_that_are_no_number_of_days_are_refused(yard: Yard) -> None:
    for days in (-1, float("nan"), float("inf")):
        with pytest.raises(UsageError):
            plan(yard, Rule.FAILED, days=days)
