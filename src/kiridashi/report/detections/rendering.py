"""Lay the report of a detection out as HTML."""

from pathlib import Path

from kiridashi.core.adapters.overlay import colour_of
from kiridashi.data.atomic import write_text
from kiridashi.report.detections import content
from kiridashi.report.page.content import bars_of, shortener, times
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.rendering import lay_out

PACKAGE = "kiridashi.report.detections"


def write_report(path: str | Path, detections: content.Detections, language: str = "en") -> None:
    """Render the report and write it atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, render(detections, language))


def render(detections: content.Detections, language: str = "en") -> str:
    """The report as one HTML document without external resources.

    Args:
        detections: what it says.
        language: one of `kiridashi.report.page.LANGUAGES`.
    """
    say = Messages(language)
    cards = content.cards(detections)
    ordered = detections.ordered
    rows = content.rows(detections)
    return lay_out(
        PACKAGE,
        say,
        language,
        counts=content.counts(detections, say),
        classes=len(detections.classes),
        rows=rows[: content.SHOWN_CLASSES],
        more_rows=max(0, len(rows) - content.SHOWN_CLASSES),
        missing=content.missing(detections, rows, say),
        colour_of=colour_of,
        histogram=bars_of(content.scores(detections)),
        cards=cards,
        short=shortener(detections),
        rest=ordered[len(cards) :],
        total=len(ordered),
        failed=detections.failed,
        times=times(detections, say, "loading"),
        provenance=content.provenance(detections, say),
    )
