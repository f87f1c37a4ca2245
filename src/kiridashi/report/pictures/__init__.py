"""What a comparison on a user's own pictures leaves behind: its folder, and the report in one file."""

from kiridashi.report.pictures.content import Comparison
from kiridashi.report.pictures.folder import CONDITIONS, COSTS, CSV, REPORT, RESULTS, TABLE, PicturesFolder
from kiridashi.report.pictures.rendering import render, write_report
from kiridashi.report.pictures.statements import statement

__all__ = [
    "CONDITIONS",
    "COSTS",
    "CSV",
    "REPORT",
    "RESULTS",
    "TABLE",
    "Comparison",
    "PicturesFolder",
    "render",
    "statement",
    "write_report",
]
