"""Lay the report out as HTML."""

from datetime import datetime
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi import __version__
from kiridashi.data.atomic import write_text
from kiridashi.report.page import content
from kiridashi.report.page.messages import PACKAGE, Messages

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def write_report(path: str | Path, report: content.Report, language: str = "en") -> None:
    """Render the report and write it atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, render(report, language))


def render(report: content.Report, language: str = "en") -> str:
    """The report as one HTML document without external resources.

    Args:
        report: what it says.
        language: one of `LANGUAGES`.
    """
    say = Messages(language)
    cards = content.cards(report)
    usable = report.usable
    return lay_out(
        PACKAGE,
        say,
        language,
        counts=content.counts(report, say),
        references=content.reference_pictures(report.references),
        more_references=max(0, len(report.references) - content.SHOWN_REFERENCES),
        negatives=content.negative_pictures(report.negatives),
        more_negatives=max(0, len(report.negatives) - content.SHOWN_NEGATIVES),
        histogram=content.histogram(report),
        plain=report.plain,
        cards=cards,
        with_strips=any(card.strip for card in cards),
        bridges=content.bridges(report, say),
        bridge_name=partial(content.bridge_name, say=say),
        short=content.shortener(report),
        rest=usable[len(cards) :],
        total=len(usable),
        failed=report.failed,
        times=content.times(report, say),
        provenance=content.provenance(report, say),
    )


def lay_out(package: str, say: Messages, language: str, /, **shown: Any) -> str:
    """The `report.html.j2` of a package, with what every report has: texts, style sheet, version and date.

    Args:
        package: where the template lies.
        say: its texts.
        language: of the document.
        shown: what else the template names.
    """
    return template(package, "report.html.j2").render(
        say=say,
        language=language,
        style=style(),
        version=__version__,
        date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        **shown,
    )


def style() -> "Markup":
    """The style sheet of all reports."""
    from markupsafe import Markup

    return Markup(files(__package__).joinpath("style.css").read_text(encoding="utf-8"))


@cache
def template(package: str, name: str) -> "Template":
    """A template that lies in a package; it may import the parts that lie in this one."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def read(part: str) -> str:
        return files(PACKAGE).joinpath(part).read_text(encoding="utf-8")

    source = files(package).joinpath(name).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(read),
    )
    return environment.from_string(source)
