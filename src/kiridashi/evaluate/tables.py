"""Plain tables in markdown."""

from collections.abc import Sequence


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """A table whose columns line up; the first `names` columns are flush left, the others flush right."""
    # A rule of one character would be no rule in markdown.
    widths = [max(2, *(len(row[column]) for row in (titles, *rows))) for column in range(len(titles))]
    rule = ["-" * width if column < names else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join(_line(row, widths, names) for row in (titles, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int], names: int) -> str:
    padded = [
        cell.ljust(width) if column < names else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"
