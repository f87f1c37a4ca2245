"""Lay the report of an evaluation out as HTML."""

from functools import partial
from pathlib import Path

from kiridashi.core.adapters.overlay import colours
from kiridashi.data.atomic import write_text
from kiridashi.evaluate.cdfss.bridges import PLAIN_METHOD, worth_text
from kiridashi.evaluate.cdfss.summary import percent
from kiridashi.report.cdfss import content
from kiridashi.report.page.content import bridge_name
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.rendering import lay_out

PACKAGE = "kiridashi.report.cdfss"


def write_report(path: str | Path, evaluation: content.Evaluation, language: str = "en") -> None:
    """Render the report and write it atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, render(evaluation, language))


def render(evaluation: content.Evaluation, language: str = "en") -> str:
    """The report as one HTML document without external resources.

    Args:
        evaluation: what it says.
        language: one of `kiridashi.report.page.LANGUAGES`.
    """
    say = Messages(language, PACKAGE)
    failed = evaluation.failed
    return lay_out(
        PACKAGE,
        say,
        language,
        counts=content.counts(evaluation, say),
        groups=content.groups(evaluation, say),
        first=evaluation.methods[0],
        bar=content.bar,
        percent=percent,
        bridges=evaluation.bridges,
        bridge_name=partial(bridge_name, say=Messages(language)),
        worth_text=worth_text,
        plain=PLAIN_METHOD,
        strips=content.strips(evaluation, say),
        legend=list(zip(colours(3), ("too_much", "missed", "right"), strict=True)),
        failed=failed[: content.SHOWN_FAILURES],
        more_failed=len(failed) - content.SHOWN_FAILURES,
        facts=[(say(key), value) for key, value in evaluation.facts.items()],
    )
