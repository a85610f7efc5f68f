"""Cleaning by rule: what is taken, what is spared, and the way back."""

import os
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


def test_a_cap_takes_the_oldest_checkpoints_and_no_more_than_it_has_to(yard: Yard) -> None:
    oldest, _, tagged, older, young = (
        trained(yard, accuracy, tags=tags)
        for accuracy, tags in ((0.1, ()), (0.9, ()), (0.2, ("keep",)), (0.3, ()), (0.4, ()))
    )
    sizes = trash.folder_size(yard.client.folder(oldest.id).checkpoints)

    def capped(keep: int) -> list[str]:
        found = cleaning.plan(
            yard.client,
            Rule.CHECKPOINTS,
            now=LATER,
            older_than_days=0,
            project=None,
            goals=goals,
            keep_bytes=keep * sizes,
        )
        return [item.id for item in found.items]

    assert capped(5) == []
    assert capped(4) == [oldest.id]
    assert capped(3) == [oldest.id, older.id]
    assert capped(0) == [oldest.id, older.id, young.id]  # the best and the tagged one stay
    assert tagged.id not in capped(0)


def test_a_cap_for_files_takes_whole_runs_of_the_project_that_is_too_large(yard: Yard) -> None:
    def stored(project: str, size: int, accuracy: float) -> RunRow:
        files = {"model.bin": os.urandom(size)}
        return yard.run(project=project, grid="g1", metrics={"val/accuracy": [accuracy]}, files=files)

    first, second, _best = stored("weld", 100, 0.1), stored("weld", 100, 0.2), stored("weld", 100, 0.9)
    stored("seam", 90, 0.1)

    def capped(keep: float) -> Plan:
        return cleaning.plan(
            yard.client, Rule.FILES, now=LATER, older_than_days=0, project=None, goals=goals, keep_bytes=keep
        )

    assert [item.id for item in capped(200).items] == [first.id]
    assert [item.id for item in capped(100).items] == [first.id, second.id]
    cleaning.carry_out(yard.client, capped(100))
    assert yard.client.index.get(first.id).trashed
    assert capped(100).items == ()


@pytest.mark.parametrize(("rule", "keep"), [(Rule.FILES, None), (Rule.FAILED, 1.0), (Rule.CHECKPOINTS, -1.0)])
def test_a_cap_that_makes_no_sense_is_refused(yard: Yard, rule: Rule, keep: float | None) -> None:
    with pytest.raises(UsageError):
        cleaning.plan(yard.client, rule, now=LATER, older_than_days=0, project=None, goals=goals, keep_bytes=keep)


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
