"""Rows of text in columns that line up, for a terminal."""

import unicodedata
from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """One line a row.

    Args:
        rows: of equally many cells.
        right: columns that are flush right, as numbers are.
    """
    if not rows:
        return []
    widths = [max(_width(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(_cells(row, widths, right)).rstrip() for row in rows]


def _cells(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> list[str]:
    cells = []
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        blanks = " " * (width - _width(cell))
        cells.append(blanks + cell if place in right else cell + blanks)
    return cells


def _width(text: str) -> int:
    """Places that a text takes on a terminal: a Japanese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
