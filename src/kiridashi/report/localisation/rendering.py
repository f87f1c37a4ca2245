"""Lay the report of a localisation out as HTML."""

from functools import partial
from pathlib import Path

from kiridashi.data.atomic import write_text
from kiridashi.report.localisation import content
from kiridashi.report.page.content import bars_of, shortener, times
from kiridashi.report.page.messages import PACKAGE as PAGE
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.rendering import lay_out

PACKAGE = "kiridashi.report.localisation"


def write_report(path: str | Path, results: content.Localisations, language: str = "en") -> None:
    """Render the report and write it atomically.

    Raises:
        UsageError: the file cannot be written.
        InputError: a record is of another verb.
    """
    write_text(path, render(results, language))


def render(results: content.Localisations, language: str = "en") -> str:
    """The report as one HTML document without external resources.

    Args:
        results: what it says.
        language: one of `kiridashi.report.page.LANGUAGES`.

    Raises:
        InputError: a record is of another verb.
    """
    say = Messages(language, PAGE, PACKAGE)
    cards = content.cards(results)
    rows = content.rows(results)
    return lay_out(
        PACKAGE,
        say,
        language,
        counts=content.counts(results, say),
        rows=rows[: content.SHOWN_CLASSES],
        more_rows=max(0, len(rows) - content.SHOWN_CLASSES),
        histogram=bars_of(content.match_scores(results)),
        cards=cards,
        why=partial(content.why, say=say),
        short=shortener(results),
        rest=results.outcomes[len(cards) :],
        total=len(results.outcomes),
        failed=results.failed,
        times=times(results, say, "loading"),
        provenance=content.provenance(results, say),
    )
