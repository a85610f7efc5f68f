"""`runyard clean`: make room by a rule; what it would take is shown first."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

from runyard.cli import documents, formats, questions, screen, tables, target
from runyard.client import cleaning
from runyard.client.cleaning import Plan, Rule
from runyard.config.durations import parse_duration_s, parse_size_bytes
from runyard.errors import UsageError

_DAY_S = 86_400.0
_LISTED = 10
_WHAT = {
    Rule.CHECKPOINTS: "Move to the trash: checkpoints of {}",
    Rule.FILES: "Move to the trash: {} and what they stored",
    Rule.FAILED: "Move to the trash: {}",
    Rule.TRASH: "Delete for good: {}",
}


def clean(
    *,
    rule: Rule,
    older: str | None,
    keep: str | None,
    project: str | None,
    all_projects: bool,
    dry: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show what the rule takes, ask, and take it."""
    with target.opened() as client:
        place = None if rule is Rule.TRASH else target.chosen_project(project, all_projects=all_projects)

        @cache
        def goals(name: str) -> Mapping[str, str]:
            newest = client.index.find(None, project=name, limit=1)
            return {key: str(goal) for key, goal in target.declared_metrics(client, newest).items()}

        planned = cleaning.plan(
            client,
            rule,
            now=datetime.now(UTC),
            older_than_days=_days(older or ("30d" if keep is None else "0")),
            project=place,
            goals=goals,
            keep_bytes=_bytes(keep),
        )
        if as_json:
            _write(planned)
        else:
            _show(planned)
        if dry or not planned.items:
            return
        questions.confirm(f"{_sentence(planned)}?", yes=yes)
        freed = cleaning.carry_out(client, planned)
    if rule is Rule.TRASH:
        screen.remark(f"{formats.size(freed)} freed.")
    else:
        screen.remark("Done. `runyard trash empty` frees the disk; until then `runyard trash restore` brings it back.")


def _days(text: str) -> float:
    try:
        return parse_duration_s(text) / _DAY_S if text != "0" else 0.0
    except ValueError as error:
        raise UsageError(f"--older: {error}.") from None


def _bytes(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(parse_size_bytes(text))
    except ValueError as error:
        raise UsageError(f"--keep: {error}.") from None


def _sentence(planned: Plan) -> str:
    count = formats.plural(len(planned.items), "item" if planned.rule is Rule.TRASH else "run")
    return f"{_WHAT[planned.rule].format(count)}, {formats.size(planned.size_bytes)}"


def _show(planned: Plan) -> None:
    if planned.items:
        columns = [
            tables.Column("id", is_vital=True),
            tables.Column("project"),
            tables.Column("name"),
            tables.Column("size", True),
        ]
        rows = [
            [tables.Cell(text) for text in (item.id, item.project, item.name, formats.size(item.size_bytes))]
            for item in planned.items[:_LISTED]
        ]
        tables.show(columns, rows)
    if len(planned.items) > _LISTED:
        screen.remark(f"… and {len(planned.items) - _LISTED:,} more")
    screen.say(f"{_sentence(planned)}." if planned.items else "Nothing to clean.")
    for why, count in sorted(planned.kept.items()):
        screen.remark(f"  kept: {formats.plural(count, 'run')} {why}")


def _write(planned: Plan) -> None:
    documents.write(
        {
            "rule": str(planned.rule),
            "size_bytes": planned.size_bytes,
            "runs": [{name: getattr(item, name) for name in item.__struct_fields__} for item in planned.items],
            "kept": planned.kept,
        }
    )
