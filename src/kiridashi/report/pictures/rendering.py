"""Lay the report of a comparison out as HTML."""

from pathlib import Path

from kiridashi.core.adapters.overlay import colours
from kiridashi.data.atomic import write_text
from kiridashi.evaluate.intervals import LEAST
from kiridashi.evaluate.pictures.tables import amount, cell, money
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.rendering import lay_out
from kiridashi.report.pictures import content
from kiridashi.report.pictures.statements import PACKAGE


def write_report(path: str | Path, comparison: content.Comparison, language: str = "en") -> None:
    """Render the report and write it atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, render(comparison, language))


def render(comparison: content.Comparison, language: str = "en") -> str:
    """The report as one HTML document without external resources.

    Args:
        comparison: what it says.
        language: one of `kiridashi.report.page.LANGUAGES`.
    """
    from markupsafe import Markup

    say = Messages(language, PACKAGE)
    failed = comparison.failed
    whole, classes = content.groups(comparison, say)
    drawn = content.curve(comparison, say)
    return lay_out(
        PACKAGE,
        say,
        language,
        counts=content.counts(comparison, say),
        short=content.in_short(comparison, say),
        whole=whole,
        classes=classes,
        first=comparison.methods[0],
        bar=content.bar,
        cell=cell,
        # Of an SVG that was escaped where it was drawn.
        curve=None if drawn is None else Markup(drawn),
        conditions=content.conditions(comparison),
        least=LEAST,
        costs=[row for row in comparison.costs if row.label == comparison.whole] or comparison.costs,
        prices=content.prices_told(comparison),
        amount=amount,
        money=money,
        strips=content.strips(comparison, say),
        legend=list(zip(colours(3), ("too_much", "missed", "right"), strict=True)),
        left_out=list(comparison.left_out.items())[: content.SHOWN_FAILURES],
        failed=failed[: content.SHOWN_FAILURES],
        more_failed=len(failed) - content.SHOWN_FAILURES,
        more_left_out=len(comparison.left_out) - content.SHOWN_FAILURES,
        facts=content.facts(comparison, say),
    )
