"""What was checked, as machines read it: JSON, JUnit's XML, GitLab's Code Quality."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from runyard.project.template.checking import RULES, Checked, Problem

_SEVERITIES = {"error": "major", "warning": "minor"}
_NO_XML = {code: None for code in range(0x20) if code not in (9, 10, 13)}  # XML cannot hold them at all


def document(checked: Sequence[Checked]) -> dict[str, Any]:
    """For `--json`."""
    return {
        "is_in_order": all(each.is_in_order for each in checked),
        "projects": [
            {
                "name": each.name,
                "path": str(each.root),
                "version": each.version or None,
                "latest": each.latest or None,
                "is_in_order": each.is_in_order,
                "problems": [
                    {key: getattr(problem, key) for key in ("rule", "level", "path", "line", "text", "can_be_fixed")}
                    for problem in each.problems
                ],
            }
            for each in checked
        ],
    }


def junit(checked: Sequence[Checked]) -> str:
    """One test suite a project, one test case a rule; a rule with errors has failed."""
    suites = "".join(_suite(each) for each in checked)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n{suites}</testsuites>\n'


def code_quality(checked: Sequence[Checked]) -> str:
    """GitLab's list of issues; of several projects the path begins with the folder."""
    issues = [_issue(each, problem, len(checked) > 1) for each in checked for problem in each.problems]
    return json.dumps(issues, indent=2) + "\n"


def _suite(checked: Checked) -> str:
    by_rule = {rule: [each for each in checked.problems if each.rule == rule] for rule in (*RULES, "settings")}
    failed = sum(any(each.level == "error" for each in found) for found in by_rule.values())
    cases = "".join(_case(rule, found) for rule, found in by_rule.items())
    return (
        f"<testsuite name={_quoted('runyard check ' + checked.name)} tests={_quoted(len(by_rule))} "
        f"failures={_quoted(failed)} errors={_quoted(0)}>\n{cases}</testsuite>\n"
    )


def _case(rule: str, problems: Sequence[Problem]) -> str:
    errors = [each for each in problems if each.level == "error"]
    warnings = [each for each in problems if each.level == "warning"]
    told = "".join(f"<system-out>{_text(_line(each))}</system-out>\n" for each in warnings)
    if errors:
        lines = "\n".join(_line(each) for each in errors)
        told += f"<failure message={_quoted(errors[0].text)}>{_text(lines)}</failure>\n"
    return f'<testcase classname="runyard.check" name={_quoted(rule)}>\n{told}</testcase>\n'


def _line(problem: Problem) -> str:
    return f"{problem.path}:{problem.line}: {problem.text}"


def _issue(checked: Checked, problem: Problem, has_others: bool) -> dict[str, Any]:
    path = f"{checked.root.name}/{problem.path}" if has_others else problem.path
    return {
        "description": problem.text,
        "check_name": f"runyard.{problem.rule}",
        "fingerprint": hashlib.sha256(f"{path}\0{problem.rule}\0{problem.text}".encode()).hexdigest(),
        "severity": _SEVERITIES[problem.level],
        "location": {"path": path, "lines": {"begin": problem.line}},
    }


def _text(text: str) -> str:
    return escape(text.translate(_NO_XML))


def _quoted(value: object) -> str:
    return quoteattr(str(value).translate(_NO_XML))
