"""`runyard adopt`: a repository that exists becomes a project."""

from pathlib import Path

from runyard.cli import documents, questions, screen
from runyard.project.new import check_choices
from runyard.project.project import check_name
from runyard.project.template.adopting import Adoption, adopt


def adopt_folder(
    folder: Path, *, name: str | None, choices: dict[str, str], source: str | None, yes: bool, dry: bool, as_json: bool
) -> None:
    """Say what is missing and what is in the way; after a yes write what is missing."""
    root = folder.absolute()
    name = name or root.name
    check_name(name)
    check_choices(**choices)
    answers = {"name": name, **choices}
    found = adopt(root, answers, source=source, write=False)
    if not as_json:
        _say(found)
    if not dry:
        questions.confirm(f"Write {len(found.missing)} files into {root}?", yes=yes)
        adopt(root, answers, source=source, write=True)
    if as_json:
        documents.write({**_document(found), "is_written": not dry})
    elif dry:
        screen.remark("Nothing was changed.")
    else:
        screen.say(
            f"{screen.plain(name)} is a project now. `git status` shows what is new, `runyard check` what is left."
        )


def _say(found: Adoption) -> None:
    parts = (("missing", found.missing), ("in the way", found.in_the_way), ("kept as it is", found.kept))
    for title, names in parts:
        for each in _folded(names):
            screen.say(f"{title:14} {screen.plain(each)}")


def _folded(names: tuple[str, ...]) -> list[str]:
    """The names; of many samples only how many they are."""
    samples = [each for each in names if each.startswith("tests/data/")]
    if len(samples) < 4:
        return list(names)
    return [*(each for each in names if each not in samples), f"tests/data/ ({len(samples)} files)"]


def _document(found: Adoption) -> dict[str, object]:
    return {
        "path": str(found.root),
        "version": found.version,
        "missing": list(found.missing),
        "in_the_way": list(found.in_the_way),
        "kept": list(found.kept),
    }
