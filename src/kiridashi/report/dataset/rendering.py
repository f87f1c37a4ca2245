"""Lay the report of a check out as HTML."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kiridashi.core.errors import InputError
from kiridashi.data.atomic import write_text
from kiridashi.data.pictures import read_picture
from kiridashi.data.sets import KINDS, Checked
from kiridashi.report.page.messages import PACKAGE as PAGE
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.rendering import lay_out
from kiridashi.report.page.thumbnails import embed

PACKAGE = "kiridashi.report.dataset"
# problems.jsonl has them all.
SHOWN_PROBLEMS, SHOWN_GROUPS, SHOWN_IN_GROUP = 200, 12, 6
SIDE = 220


def write_report(
    path: Path,
    checked: Checked,
    files: Mapping[str, Path],
    facts: Mapping[str, str],
    language: str = "en",
) -> None:
    """Render the report and write it atomically.

    Args:
        path: of the report.
        checked: what the check has found.
        files: pictures by their names.
        facts: about the set, by the keys of `messages.toml`.
        language: one of `kiridashi.report.page.messages.LANGUAGES`.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, render(checked, files, facts, language))


def render(
    checked: Checked, files: Mapping[str, Path], facts: Mapping[str, str], language: str = "en"
) -> str:
    """The report as one HTML document without external resources; for its arguments see `write_report`."""
    say = Messages(language, PAGE, PACKAGE)
    ordered = sorted(checked.problems, key=lambda one: KINDS[one.kind].severity)
    warnings = len(ordered) - checked.errors
    return lay_out(
        PACKAGE,
        say,
        language,
        counts=[
            (f"{checked.pictures:,}", say("pictures")),
            (f"{checked.annotations:,}", say("objects_marked")),
            (f"{checked.empty:,}", say("without_objects")),
            (f"{checked.errors:,}", say("errors")),
            (f"{warnings:,}", say("warnings")),
        ],
        kinds=[(kind, KINDS[kind], count) for kind, count in checked.counts.items()],
        problems=ordered[:SHOWN_PROBLEMS],
        more=len(ordered) - SHOWN_PROBLEMS,
        severity=lambda problem: KINDS[problem.kind].severity,
        groups=[_thumbnails(group, files) for group in checked.groups[:SHOWN_GROUPS]],
        more_groups=len(checked.groups) - SHOWN_GROUPS,
        facts=[(say(key), value) for key, value in facts.items()],
    )


def _thumbnails(group: Sequence[str], files: Mapping[str, Path]) -> list[tuple[str, str]]:
    shown = []
    for name in group[:SHOWN_IN_GROUP]:
        try:
            shown.append((name, embed(read_picture(files[name]).pixels, SIDE)))
        except (InputError, KeyError):  # gone since
            continue
    return shown
