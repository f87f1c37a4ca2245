"""Lay the report out as HTML."""

from pathlib import Path

from kiridashi.core.adapters.overlay import colours
from kiridashi.data.atomic import write_text
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.rendering import lay_out
from kiridashi.report.poc import content, numbers
from kiridashi.report.poc.document import Document

PACKAGE = "kiridashi.report.poc"


def write_report(path: str | Path, document: Document, language: str = "en") -> None:
    """Render the report and write it atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, render(document, language))


def render(document: Document, language: str = "en") -> str:
    """The report as one HTML document without external resources.

    Args:
        document: what it says.
        language: one of `kiridashi.report.page.LANGUAGES`.
    """
    from markupsafe import Markup

    say = Messages(language, PACKAGE)
    return lay_out(
        PACKAGE,
        say,
        language,
        document=document,
        words=content.Words(say, document.currency),
        content=content,
        numbers=numbers,
        svg=Markup,
        legend=list(zip(colours(3), ("too_much", "left_out_part", "right"), strict=True)),
    )
