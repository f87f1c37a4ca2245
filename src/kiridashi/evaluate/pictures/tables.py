"""The rows of a comparison as tables: markdown to read, CSV with every figure."""

import csv
import io
from collections.abc import Sequence

from kiridashi.evaluate.intervals import LEAST, Interval
from kiridashi.evaluate.pictures.costs import CostRow
from kiridashi.evaluate.pictures.measures import MEASURES
from kiridashi.evaluate.pictures.summary import Row
from kiridashi.evaluate.pictures.tags import SHOWN, TagRow
from kiridashi.evaluate.tables import markdown

# The measures of the table that is read, with their titles; table.csv has all.
READ = {
    "iou": "IoU [95 %]",
    "dice": "Dice",
    "precision": "precision",
    "recall": "recall",
    "boundary_iou": "boundary IoU",
    "hd95": "HD95 px",
    "ap": "AP",
    "found": "found",
    "quiet": "quiet",
}


def as_markdown(rows: Sequence[Row], first: str) -> str:
    """The rows as a markdown table, shares times 100.

    Args:
        rows: of `summarise`.
        first: the method that differences are to.
    """
    titles = ["class", "shots", "method", "with", "without", "failed", *READ.values()]
    titles += [f"IoU minus {first} [95 %]", "s to learn", "s a picture", "peak MiB"]
    return markdown(titles, [_cells(row) for row in rows], names=3) + "\n"


def costs_markdown(rows: Sequence[CostRow]) -> str:
    """Expected costs of a picture as a markdown table."""
    titles = ["class", "shots", "method", "own verdict [95 %]", "chosen threshold [95 %]", "oracle threshold"]
    titles += ["stop all", "pass all"]
    cells = [
        [
            row.label,
            str(row.shots),
            row.method,
            amount(row.own),
            amount(row.chosen),
            money(row.oracle),
            money(row.stop_all),
            money(row.pass_all),
        ]
        for row in rows
    ]
    return markdown(titles, cells, names=3) + "\n"


def tags_markdown(rows: Sequence[TagRow]) -> str:
    """Figures by condition as a markdown table, shares times 100."""
    titles = [
        "condition",
        "value",
        "shots",
        "method",
        "pictures",
        "IoU [95 %]",
        "boundary IoU",
        "found",
        "quiet",
    ]
    cells = [
        [
            row.condition,
            row.value,
            str(row.shots),
            row.method,
            str(row.pictures),
            *(cell(name, row.figures.get(name), whole=name == "iou") for name in SHOWN),
        ]
        for row in rows
    ]
    return markdown(titles, cells, names=4) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """The rows with all figures and their intervals; shares times 100, distances in pixels."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    facts = ["class", "shots", "method", "with", "without", "draws", "failed"]
    ends = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    ends += [f"lead_{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    writer.writerow([*facts, *ends, "fit_seconds", "predict_seconds", "peak_mib"])
    for row in rows:
        figures: list[str] = []
        for name in MEASURES:
            figures += _ends(name, row.figures.get(name))
        for name in MEASURES:
            lead = row.lead.get(name)
            figures += _ends(name, None if lead is None else lead.difference)
        with_class, without = row.pictures
        spent = [row.fit_seconds, row.predict_seconds, row.peak_mib]
        writer.writerow(
            [row.label, row.shots, row.method, with_class, without, row.draws, row.failed, *figures]
            + ["" if value is None else f"{value:.3f}" for value in spent]
        )
    return stream.getvalue()


def cell(name: str, figure: Interval | None, *, whole: bool = False, signed: bool = False) -> str:
    """`64.1 [62.0, 66.3]`, or the mean alone: shares times 100, distances as they are; nothing for None.

    Of fewer units than `LEAST` the mean is alone.
    """
    if figure is None:
        return ""
    factor = 100 if MEASURES[name].share else 1
    form = "+.1f" if signed else ".1f"
    mean, low, high = (format(factor * value, form) for value in (figure.mean, figure.low, figure.high))
    return f"{mean} [{low}, {high}]" if whole and figure.count >= LEAST else mean


def amount(figure: Interval) -> str:
    """`1.23 [0.91, 1.60]`: an amount of money and its interval; of fewer than `LEAST` units the mean."""
    ends = f" [{money(figure.low)}, {money(figure.high)}]" if figure.count >= LEAST else ""
    return money(figure.mean) + ends


def money(value: float) -> str:
    """An amount in any currency, with as many digits as mean something."""
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _cells(row: Row) -> list[str]:
    lead = row.lead.get("iou")
    with_class, without = row.pictures
    return [
        row.label,
        str(row.shots),
        row.method,
        str(with_class),
        str(without),
        str(row.failed),
        *(cell(name, row.figures.get(name), whole=name == "iou") for name in READ),
        "" if lead is None else cell("iou", lead.difference, whole=True, signed=True),
        f"{row.fit_seconds:.2f}",
        f"{row.predict_seconds:.2f}",
        "" if row.peak_mib is None else f"{row.peak_mib:.0f}",
    ]


def _ends(name: str, figure: Interval | None) -> list[str]:
    if figure is None:
        return ["", "", ""]
    factor = 100 if MEASURES[name].share else 1
    return [f"{factor * value:.3f}" for value in (figure.mean, figure.low, figure.high)]
