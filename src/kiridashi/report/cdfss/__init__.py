"""What an evaluation by the CD-FSS protocol leaves behind: its folder, and the report in one file."""

from kiridashi.report.cdfss.content import Evaluation
from kiridashi.report.cdfss.folder import BRIDGES, CSV, REPORT, RESULTS, TABLE, EvaluationFolder
from kiridashi.report.cdfss.rendering import render, write_report

__all__ = [
    "BRIDGES",
    "CSV",
    "REPORT",
    "RESULTS",
    "TABLE",
    "Evaluation",
    "EvaluationFolder",
    "render",
    "write_report",
]
