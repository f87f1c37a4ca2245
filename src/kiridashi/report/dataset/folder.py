"""The problems of a set as JSON Lines."""

from pathlib import Path
from typing import Any

from kiridashi.data.atomic import write_text
from kiridashi.data.formats import Problem
from kiridashi.data.sets import KINDS, Checked
from kiridashi.report.lines import dump_line

PROBLEMS = "problems.jsonl"


def write_problems(path: Path, checked: Checked) -> None:
    """Write a line a problem, errors first.

    Raises:
        UsageError: the file cannot be written.
    """
    ordered = sorted(checked.problems, key=lambda one: KINDS[one.kind].severity)
    write_text(path, "".join(dump_line(to_json(one)) + "\n" for one in ordered))


def to_json(problem: Problem) -> dict[str, Any]:
    """A problem, ready for JSON."""
    kind = KINDS[problem.kind]
    return {
        "kind": problem.kind,
        "severity": kind.severity,
        "picture": problem.picture,
        "annotation": problem.annotation,
        "text": problem.text,
        "others": list(problem.others),
        "repair": kind.repair,
    }
